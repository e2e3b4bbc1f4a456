#include "model/dataset/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace digit {
namespace {

constexpr int kGzipOnly = 16 + MAX_WBITS;  // zlib.h, inflateInit2: decode the gzip format and nothing else
constexpr size_t kPieceBytes = 1 << 16;

absl::Status Bad(absl::string_view name, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("'", name, "' is not a sound gzip file: ", what));
}

}  // namespace

bool LooksLikeGzip(absl::string_view bytes) { return bytes.substr(0, 2) == absl::string_view("\x1f\x8b"); }

absl::StatusOr<std::string> Gunzip(absl::string_view bytes, absl::string_view name, int64_t max_bytes) {
  if (bytes.size() > std::numeric_limits<uInt>::max()) return Bad(name, "larger than 4 GiB");
  z_stream stream = {};
  DIGIT_CHECK(inflateInit2(&stream, kGzipOnly) == Z_OK);
  const absl::Cleanup end = [&stream] { inflateEnd(&stream); };
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // zlib only reads it
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  char piece[kPieceBytes];
  while (true) {
    stream.next_out = reinterpret_cast<Bytef*>(piece);
    stream.avail_out = sizeof(piece);
    const int rc = inflate(&stream, Z_NO_FLUSH);
    if (rc == Z_BUF_ERROR) return Bad(name, "it ends too early");
    if (rc != Z_OK && rc != Z_STREAM_END) return Bad(name, stream.msg != nullptr ? stream.msg : "corrupt data");
    out.append(piece, sizeof(piece) - stream.avail_out);
    if (static_cast<int64_t>(out.size()) > max_bytes) {
      return absl::InvalidArgumentError(absl::StrCat("'", name, "' unpacks to more than ", max_bytes, " bytes"));
    }
    if (rc == Z_STREAM_END) {
      if (stream.avail_in == 0) return out;
      // Another member may follow (RFC 1952, section 2.2); anything else fails on its header.
      DIGIT_CHECK(inflateReset(&stream) == Z_OK);
    }
  }
}

}  // namespace digit
