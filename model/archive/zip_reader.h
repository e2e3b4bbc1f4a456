// The directory of a zip file in memory, as strict as what torch writes allows.
//
// Accepted: one end record as the very last bytes (no comment), with or without a zip64 one before it; records stored
// or deflated, each with a local header that agrees with the directory. Refused: anything that could be read in two
// ways (overlaps, names that are equal or differ in case only, which LibTorch takes for the same, absolute names,
// '..', backslashes, control characters), encryption, several disks, other compressions, bytes after the end.
// Nothing is inflated. Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3 and 4.4.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace digit {

inline constexpr int kMaxZipRecords = 10000;                       // a guess; a ResNet-152 has about 2,000
inline constexpr uint64_t kMaxInflatedBytes = uint64_t{64} << 20;  // all deflated records together; a guess

struct ZipRecord {
  absl::string_view name;
  absl::string_view data;  // as it lies in the file: deflated when !stored
  uint64_t begin_offset;   // of its local header in the file
  uint64_t end_offset;     // behind its data
  uint32_t crc;            // of the inflated bytes; 0: not computed
  bool stored;
};

// Views into the bytes it was read from, which must outlive it. Immutable.
class ZipDirectory {
 public:
  // INVALID_ARGUMENT in one line names the record and what is wrong. Checks the CRC-32 of every stored record; a CRC
  // of 0 means that the writer computed none (torch 2.x can be told so).
  static absl::StatusOr<ZipDirectory> Read(absl::string_view bytes);

  const std::vector<ZipRecord>& records() const { return records_; }  // sorted by name, ignoring case
  const ZipRecord* Find(absl::string_view name) const;                // nullptr: none of exactly this name

 private:
  explicit ZipDirectory(std::vector<ZipRecord> records) : records_(std::move(records)) {}
  std::vector<ZipRecord> records_;
};

}  // namespace digit
