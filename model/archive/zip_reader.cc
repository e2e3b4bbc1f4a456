#include "model/archive/zip_reader.h"

#include <zlib.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "model/archive/little_endian.h"
#include "model/archive/quoted.h"

namespace digit {
namespace {

constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr uint32_t kCentralSignature = 0x02014b50;
constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kEnd64Signature = 0x06064b50;
constexpr uint32_t kLocator64Signature = 0x07064b50;
constexpr size_t kLocalBytes = 30;
constexpr size_t kCentralBytes = 46;
constexpr size_t kEndBytes = 22;
constexpr size_t kEnd64Bytes = 56;
constexpr size_t kLocator64Bytes = 20;

constexpr uint16_t kFlagDescriptorFollows = 1 << 3;  // sizes and CRC stand behind the data, not in the local header
constexpr uint16_t kFlagUtf8 = 1 << 11;
constexpr uint16_t kDeflateLevelFlags = 3 << 1;
constexpr uint16_t kAllowedFlags = kFlagDescriptorFollows | kFlagUtf8 | kDeflateLevelFlags;
constexpr uint16_t kStored = 0;
constexpr uint16_t kDeflated = 8;

template <typename... Parts>
absl::Status Broken(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("the file is a damaged or forged zip: ", parts...));
}

struct Directory {
  uint64_t offset;
  uint64_t size;
  uint64_t count;
};

// The zip64 end record repeats what the plain one says; both must agree where the plain one is not saturated.
absl::Status CheckZip64End(absl::string_view bytes, size_t locator, const Directory& plain, size_t* end) {
  const uint64_t at = LoadLittle<uint64_t>(bytes, locator + 8);
  if (locator < kEnd64Bytes || at != locator - kEnd64Bytes || LoadLittle<uint32_t>(bytes, at) != kEnd64Signature ||
      LoadLittle<uint64_t>(bytes, at + 4) != kEnd64Bytes - 12) {
    return Broken("its zip64 locator does not point to a zip64 end record");
  }
  if (LoadLittle<uint64_t>(bytes, at + 24) != plain.count || LoadLittle<uint64_t>(bytes, at + 32) != plain.count ||
      LoadLittle<uint64_t>(bytes, at + 40) != plain.size || LoadLittle<uint64_t>(bytes, at + 48) != plain.offset ||
      LoadLittle<uint32_t>(bytes, at + 16) != 0 || LoadLittle<uint32_t>(bytes, at + 20) != 0) {
    return Broken("its two end records disagree");
  }
  *end = at;
  return absl::OkStatus();
}

absl::StatusOr<Directory> FindDirectory(absl::string_view bytes) {
  if (bytes.size() < kEndBytes || LoadLittle<uint32_t>(bytes, bytes.size() - kEndBytes) != kEndSignature) {
    return absl::InvalidArgumentError(absl::StrCat("the file is a truncated zip, or has bytes after its end (",
                                                   bytes.size(), " bytes): copy or save it again"));
  }
  size_t end = bytes.size() - kEndBytes;
  const Directory directory{.offset = LoadLittle<uint32_t>(bytes, end + 16),
                            .size = LoadLittle<uint32_t>(bytes, end + 12),
                            .count = LoadLittle<uint16_t>(bytes, end + 10)};
  if (LoadLittle<uint32_t>(bytes, end + 4) != 0 || LoadLittle<uint16_t>(bytes, end + 8) != directory.count ||
      LoadLittle<uint16_t>(bytes, end + 20) != 0) {
    return Broken("its end record names several disks or a comment");
  }
  if (end >= kLocator64Bytes && LoadLittle<uint32_t>(bytes, end - kLocator64Bytes) == kLocator64Signature) {
    RETURN_IF_ERROR(CheckZip64End(bytes, end - kLocator64Bytes, directory, &end));
  }
  if (directory.count > kMaxZipRecords) {
    return Broken(directory.count, " records, the limit is ", kMaxZipRecords);
  }
  if (directory.offset > end || directory.size != end - directory.offset ||
      directory.size < directory.count * kCentralBytes) {
    return Broken("its directory of ", directory.size, " bytes does not lie right before its end record");
  }
  return directory;
}

bool IsSafeName(absl::string_view name) {
  if (name.empty() || name.front() == '/') return false;
  for (const char c : name) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c)) || c == '\\') return false;
  }
  for (const absl::string_view part : absl::StrSplit(name, '/')) {
    if (part == "." || part == "..") return false;
  }
  return true;
}

// What the directory says of one record.
struct CentralHeader {
  absl::string_view name;
  uint16_t flags, method;
  uint32_t crc, packed_bytes, inflated_bytes, local_offset;
};

// Reads one at `*at` and moves it behind; `end` is where the directory ends.
absl::StatusOr<CentralHeader> ReadCentralHeader(absl::string_view bytes, uint64_t end, uint64_t* at) {
  if (end - *at < kCentralBytes || LoadLittle<uint32_t>(bytes, *at) != kCentralSignature) {
    return Broken("its directory holds no record at byte ", *at);
  }
  const uint64_t name_bytes = LoadLittle<uint16_t>(bytes, *at + 28);
  const uint64_t tail_bytes = uint64_t{LoadLittle<uint16_t>(bytes, *at + 30)} + LoadLittle<uint16_t>(bytes, *at + 32);
  if (end - *at - kCentralBytes < name_bytes + tail_bytes) return Broken("its directory is cut off at byte ", *at);
  const CentralHeader header{.name = bytes.substr(*at + kCentralBytes, name_bytes),
                             .flags = LoadLittle<uint16_t>(bytes, *at + 8),
                             .method = LoadLittle<uint16_t>(bytes, *at + 10),
                             .crc = LoadLittle<uint32_t>(bytes, *at + 16),
                             .packed_bytes = LoadLittle<uint32_t>(bytes, *at + 20),
                             .inflated_bytes = LoadLittle<uint32_t>(bytes, *at + 24),
                             .local_offset = LoadLittle<uint32_t>(bytes, *at + 42)};
  const bool on_first_disk = LoadLittle<uint16_t>(bytes, *at + 34) == 0;
  *at += kCentralBytes + name_bytes + tail_bytes;
  const std::string quoted = Quoted(header.name);
  if (!IsSafeName(header.name)) return Broken("the record name ", quoted, " is empty, absolute or unsafe");
  if ((header.flags & ~kAllowedFlags) != 0 || !on_first_disk) {
    return Broken("record ", quoted, " is encrypted, patched or on another disk (flags ", header.flags, ")");
  }
  if (header.method != kStored && header.method != kDeflated) {
    return Broken("record ", quoted, " is compressed with method ", header.method, "; only 0 and 8 are read");
  }
  if (header.method == kStored && header.packed_bytes != header.inflated_bytes) {
    return Broken("stored record ", quoted, " has two sizes");
  }
  return header;
}

// Checks the local header against the directory's and finds the data, which must end before `limit`.
absl::StatusOr<ZipRecord> LocateData(absl::string_view bytes, const CentralHeader& header, uint64_t limit) {
  const std::string quoted = Quoted(header.name);
  const uint64_t at = header.local_offset;
  if (at > limit || limit - at < kLocalBytes || LoadLittle<uint32_t>(bytes, at) != kLocalSignature) {
    return Broken("record ", quoted, " has no local header at byte ", at);
  }
  const uint64_t name_bytes = LoadLittle<uint16_t>(bytes, at + 26);
  const uint64_t data_at = at + kLocalBytes + name_bytes + LoadLittle<uint16_t>(bytes, at + 28);
  if (data_at > limit || limit - data_at < header.packed_bytes) {
    return Broken("record ", quoted, " of ", header.packed_bytes, " bytes reaches beyond the records' area");
  }
  const auto agrees = [&](size_t field, uint32_t expected) {
    const uint32_t local = LoadLittle<uint32_t>(bytes, at + field);
    return local == expected || (local == 0 && (header.flags & kFlagDescriptorFollows) != 0);
  };
  if (bytes.substr(at + kLocalBytes, name_bytes) != header.name ||
      LoadLittle<uint16_t>(bytes, at + 6) != header.flags || LoadLittle<uint16_t>(bytes, at + 8) != header.method ||
      !agrees(14, header.crc) || !agrees(18, header.packed_bytes) || !agrees(22, header.inflated_bytes)) {
    return Broken("the local header of record ", quoted, " differs from the directory's");
  }
  return ZipRecord{.name = header.name,
                   .data = bytes.substr(data_at, header.packed_bytes),
                   .begin_offset = at,
                   .end_offset = data_at + header.packed_bytes,
                   .crc = header.crc,
                   .stored = header.method == kStored};
}

absl::Status CheckCrc(const ZipRecord& record) {
  if (!record.stored || record.crc == 0) return absl::OkStatus();
  const uint32_t actual = crc32(0, reinterpret_cast<const Bytef*>(record.data.data()), record.data.size());
  if (actual == record.crc) return absl::OkStatus();
  return Broken("the bytes of record ", Quoted(record.name), " do not match their CRC-32; copy or save it again");
}

absl::Status CheckNoOverlap(std::vector<ZipRecord>& records) {
  std::sort(records.begin(), records.end(),
            [](const ZipRecord& a, const ZipRecord& b) { return a.begin_offset < b.begin_offset; });
  for (size_t i = 1; i < records.size(); ++i) {
    if (records[i].begin_offset < records[i - 1].end_offset) {
      return Broken("records ", Quoted(records[i - 1].name), " and ", Quoted(records[i].name), " overlap");
    }
  }
  return absl::OkStatus();
}

// LibTorch finds records ignoring case, so names that differ in case only would be one record to it and two to us.
int CompareIgnoringCase(absl::string_view a, absl::string_view b) {
  const size_t common = std::min(a.size(), b.size());
  for (size_t i = 0; i < common; ++i) {
    const unsigned char x = absl::ascii_tolower(a[i]), y = absl::ascii_tolower(b[i]);
    if (x != y) return x < y ? -1 : 1;
  }
  return a.size() == b.size() ? 0 : (a.size() < b.size() ? -1 : 1);
}

absl::Status SortByName(std::vector<ZipRecord>& records) {
  std::sort(records.begin(), records.end(),
            [](const ZipRecord& a, const ZipRecord& b) { return CompareIgnoringCase(a.name, b.name) < 0; });
  for (size_t i = 1; i < records.size(); ++i) {
    if (CompareIgnoringCase(records[i - 1].name, records[i].name) == 0) {
      return Broken("two records are named ", Quoted(records[i].name), ", case aside");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ZipDirectory> ZipDirectory::Read(absl::string_view bytes) {
  ASSIGN_OR_RETURN(const Directory directory, FindDirectory(bytes));
  const uint64_t end = directory.offset + directory.size;
  std::vector<ZipRecord> records;
  records.reserve(directory.count);
  uint64_t at = directory.offset;
  uint64_t inflated_bytes = 0;
  for (uint64_t i = 0; i < directory.count; ++i) {
    ASSIGN_OR_RETURN(const CentralHeader header, ReadCentralHeader(bytes, end, &at));
    ASSIGN_OR_RETURN(const ZipRecord record, LocateData(bytes, header, directory.offset));
    if (!record.stored) inflated_bytes += header.inflated_bytes;
    records.push_back(record);
  }
  if (at != end) return Broken("its directory holds ", end - at, " bytes more than its ", directory.count, " records");
  if (inflated_bytes > kMaxInflatedBytes) {
    return Broken("its compressed records inflate to ", inflated_bytes, " bytes, the limit is ", kMaxInflatedBytes);
  }
  RETURN_IF_ERROR(CheckNoOverlap(records));  // before the CRCs: overlaps could make those take for ever
  for (const ZipRecord& record : records) RETURN_IF_ERROR(CheckCrc(record));
  RETURN_IF_ERROR(SortByName(records));
  return ZipDirectory(std::move(records));
}

const ZipRecord* ZipDirectory::Find(absl::string_view name) const {
  const auto found = std::lower_bound(
      records_.begin(), records_.end(), name,
      [](const ZipRecord& record, absl::string_view wanted) { return CompareIgnoringCase(record.name, wanted) < 0; });
  return found != records_.end() && found->name == name ? &*found : nullptr;
}

}  // namespace digit
