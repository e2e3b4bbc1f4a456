#include "base/sha256.h"

#include <openssl/evp.h>

#include <cerrno>
#include <cstdio>
#include <memory>

#include "absl/strings/escaping.h"
#include "base/check.h"
#include "base/file.h"

namespace digit {
namespace {

class Hasher {
 public:
  Hasher() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    DIGIT_CHECK(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }
  void Update(absl::string_view bytes) {
    DIGIT_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  }
  std::string Hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    DIGIT_CHECK(EVP_DigestFinal_ex(context_.get(), digest, &size) == 1);
    return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), size));
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

std::string Sha256Hex(absl::string_view bytes) {
  Hasher hasher;
  hasher.Update(bytes);
  return hasher.Hex();
}

absl::StatusOr<std::string> Sha256HexOfFile(const std::string& path) {
  const auto close = [](FILE* open) { std::fclose(open); };
  const std::unique_ptr<FILE, decltype(close)> file(std::fopen(path.c_str(), "rbe"), close);
  if (file == nullptr) return ErrnoStatus(errno, "open", path);
  Hasher hasher;
  char buffer[1 << 16];
  while (const size_t n = std::fread(buffer, 1, sizeof(buffer), file.get())) {
    hasher.Update(absl::string_view(buffer, n));
  }
  if (std::ferror(file.get())) return ErrnoStatus(errno, "read", path);
  return hasher.Hex();
}

}  // namespace digit
