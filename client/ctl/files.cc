#include "client/ctl/files.h"

#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/file.h"
#include "base/status.h"

namespace digit {
namespace {

namespace fs = std::filesystem;

bool IsImageName(const std::string& name) {
  const std::string lower = absl::AsciiStrToLower(name);
  for (const char* end : {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".pnm", ".pbm", ".pgm", ".ppm"}) {
    if (absl::EndsWith(lower, end) && lower.size() > std::char_traits<char>::length(end)) return true;
  }
  return false;
}

absl::Status AddFolder(const std::string& folder, std::vector<std::string>* files) {
  std::error_code error;
  std::vector<std::string> found;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;  // what cannot be looked at is no file of ours
    if (IsImageName(it->path().filename()) && it->is_regular_file(ignored)) found.push_back(it->path());
  }
  if (error) {
    return absl::InvalidArgumentError(absl::StrCat("cannot read folder '", folder, "': ", error.message()));
  }
  if (found.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("no image files in folder '", folder, "' (by name: .png .jpg .bmp .gif .webp .pnm)"));
  }
  std::sort(found.begin(), found.end());
  std::move(found.begin(), found.end(), std::back_inserter(*files));
  return absl::OkStatus();
}

absl::Status AddPattern(const std::string& pattern, std::vector<std::string>* files) {
  glob_t matches{};
  const absl::Cleanup cleanup = [&matches] { globfree(&matches); };
  const size_t before = files->size();
  if (glob(pattern.c_str(), GLOB_MARK, nullptr, &matches) == 0) {
    for (size_t i = 0; i < matches.gl_pathc; ++i) {
      const std::string path = matches.gl_pathv[i];
      if (path.back() != '/') files->push_back(path);
    }
  }
  if (files->size() > before) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("no file matches '", pattern, "'"));
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ExpandFiles(const std::vector<std::string>& arguments) {
  if (std::count(arguments.begin(), arguments.end(), kStdin) > 1) {
    return absl::InvalidArgumentError("'-' stands for standard input and can be given once");
  }
  std::vector<std::string> files;
  for (const std::string& argument : arguments) {
    struct stat info;
    const bool exists = argument != kStdin && stat(argument.c_str(), &info) == 0;
    if (exists && S_ISDIR(info.st_mode)) {
      RETURN_IF_ERROR(AddFolder(argument, &files));
    } else if (argument != kStdin && !exists && argument.find_first_of("*?[") != std::string::npos) {
      RETURN_IF_ERROR(AddPattern(argument, &files));
    } else {
      files.push_back(argument);
    }
  }
  return files;
}

namespace {

// A FIFO, as in recognize <(cat img.png), or a device: no size that could be known before reading.
bool IsStream(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode));
}

absl::StatusOr<std::string> ReadStream(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return ErrnoStatus(errno, "open", path);
  const absl::Cleanup closer = [fd] { close(fd); };
  return ReadImageFrom(fd);
}

}  // namespace

absl::StatusOr<std::string> ReadImage(const std::string& path) {
  absl::StatusOr<std::string> bytes = path == kStdin   ? ReadImageFrom(STDIN_FILENO)
                                      : IsStream(path) ? ReadStream(path)
                                                       : ReadFile(path, kMaxImageBytes);
  if (bytes.ok() && bytes->empty()) return absl::InvalidArgumentError("the file is empty");
  if (bytes.ok()) return bytes;
  return absl::Status(bytes.status().code(),
                      absl::StrReplaceAll(std::string(bytes.status().message()),
                                          {{absl::StrCat("'", path, "'"), "the file"}, {"'-'", "the file"}}));
}

absl::StatusOr<std::string> ReadImageFrom(int fd) {
  std::string bytes;
  size_t size = 0;
  while (true) {
    bytes.resize(size + (64 << 10));
    const ssize_t n = read(fd, bytes.data() + size, bytes.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, "read", kStdin);
    size += static_cast<size_t>(n);
    if (static_cast<int64_t>(size) > kMaxImageBytes) {
      return absl::ResourceExhaustedError(absl::StrCat("larger than the limit of ", kMaxImageBytes, " bytes"));
    }
    if (n == 0) break;
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace digit
