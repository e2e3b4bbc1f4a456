// From the arguments of `recognize` to the pictures they stand for, and from one of those to its bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace digit {

inline constexpr char kStdin[] = "-";
inline constexpr int64_t kMaxImageBytes = 12 << 20;  // the server's limit on a file

// In the order of the arguments: "-" is itself, a folder is its image files (by extension) in order of name, not those
// of folders inside; an existing file is itself; a pattern (*, ?, [...]) is what it matches, folders left out, in order
// of name; anything else is itself, for ReadImage() to fail on. Opens no file. INVALID_ARGUMENT: a pattern or folder
// without pictures, "-" twice.
absl::StatusOr<std::vector<std::string>> ExpandFiles(const std::vector<std::string>& arguments);

// The bytes of a picture; of standard input for "-". The message leaves out the path, which the caller prints:
// "cannot open the file: No such file or directory". RESOURCE_EXHAUSTED: beyond kMaxImageBytes. Blocks on standard
// input and on a FIFO, as in `recognize <(cat img.png)`, until the writer is done.
absl::StatusOr<std::string> ReadImage(const std::string& path);

// As ReadImage, from an open descriptor up to its end; for standard input.
absl::StatusOr<std::string> ReadImageFrom(int fd);

}  // namespace digit
