// Writes zip files as torch does, and, on request, ones that no honest writer makes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace digit {

// What is set replaces what a right file would have there.
struct ZipEntry {
  std::string name;
  std::string data;  // as it is to lie in the file
  uint16_t method = 0;
  uint16_t flags = 0x0808;  // UTF-8; sizes behind the data
  std::optional<uint32_t> crc = std::nullopt;
  std::optional<uint32_t> packed_bytes = std::nullopt;
  std::optional<uint32_t> inflated_bytes = std::nullopt;
  std::optional<uint32_t> local_offset = std::nullopt;
  std::optional<std::string> local_name = std::nullopt;
};

struct ZipOptions {
  bool zip64 = true;  // torch always writes the zip64 end record too
  std::optional<uint16_t> count = std::nullopt;
  std::optional<uint32_t> directory_bytes = std::nullopt;
  std::optional<uint32_t> directory_offset = std::nullopt;
  std::optional<uint64_t> zip64_count = std::nullopt;
  uint16_t comment_bytes = 0;
};

std::string WriteZip(const std::vector<ZipEntry>& entries, const ZipOptions& options = {});

}  // namespace digit
