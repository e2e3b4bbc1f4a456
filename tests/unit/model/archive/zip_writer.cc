#include "tests/unit/model/archive/zip_writer.h"

#include <zlib.h>

namespace digit {
namespace {

template <typename T>
void Put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

void Put16s(std::string& out, std::initializer_list<uint16_t> values) {
  for (const uint16_t value : values) Put(out, value);
}

void Put32s(std::string& out, std::initializer_list<uint32_t> values) {
  for (const uint32_t value : values) Put(out, value);
}

uint32_t CrcOf(const std::string& data) { return crc32(0, reinterpret_cast<const Bytef*>(data.data()), data.size()); }

// Local header, padding to 64 bytes, data, descriptor.
void PutRecord(std::string& out, const ZipEntry& entry, uint32_t crc, uint32_t packed, uint32_t inflated) {
  const std::string& name = entry.local_name.value_or(entry.name);
  Put<uint32_t>(out, 0x04034b50);
  Put16s(out, {0, entry.flags, entry.method, 0, 0});
  const bool has_descriptor = (entry.flags & 8) != 0;
  Put32s(out, {has_descriptor ? 0 : crc, has_descriptor ? 0 : packed, has_descriptor ? 0 : inflated});
  const auto padding = static_cast<uint16_t>(63 - (out.size() + 4 + name.size() + 4 + 63) % 64);
  Put16s(out, {static_cast<uint16_t>(name.size()), static_cast<uint16_t>(padding + 4)});
  out += name;
  out += "FB";
  Put<uint16_t>(out, padding);
  out += std::string(padding, 'Z') + entry.data;
  if (has_descriptor) Put32s(out, {0x08074b50, crc, packed, inflated});
}

}  // namespace

std::string WriteZip(const std::vector<ZipEntry>& entries, const ZipOptions& options) {
  std::string out, directory;
  for (const ZipEntry& entry : entries) {
    const uint32_t crc = entry.crc.value_or(CrcOf(entry.data));
    const uint32_t packed = entry.packed_bytes.value_or(entry.data.size());
    const uint32_t inflated = entry.inflated_bytes.value_or(entry.data.size());
    Put<uint32_t>(directory, 0x02014b50);
    Put16s(directory, {0, 0, entry.flags, entry.method, 0, 0});
    Put32s(directory, {crc, packed, inflated});
    Put16s(directory, {static_cast<uint16_t>(entry.name.size()), 0, 0, 0, 0});
    Put32s(directory, {0, entry.local_offset.value_or(out.size())});
    directory += entry.name;
    PutRecord(out, entry, crc, packed, inflated);
  }
  const auto count = options.count.value_or(entries.size());
  const auto bytes = options.directory_bytes.value_or(directory.size());
  const auto offset = options.directory_offset.value_or(out.size());
  const uint64_t end64 = out.size() + directory.size();
  out += directory;
  if (options.zip64) {
    Put32s(out, {0x06064b50, 44, 0});
    Put16s(out, {0x031e, 45});
    Put32s(out, {0, 0});
    for (const uint64_t value :
         {uint64_t{count}, options.zip64_count.value_or(count), uint64_t{bytes}, uint64_t{offset}}) {
      Put(out, value);
    }
    Put32s(out, {0x07064b50, 0});
    Put(out, end64);
    Put<uint32_t>(out, 1);
  }
  Put32s(out, {0x06054b50, 0});
  Put16s(out, {count, count});
  Put32s(out, {bytes, offset});
  Put16s(out, {options.comment_bytes});
  return out + std::string(options.comment_bytes, 'c');
}

}  // namespace digit
