// The pictures a benchmark sends.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/ctl/bench/options.h"

namespace digit {

struct BenchPicture {
  std::string name;   // "scans/a.png", "test image 17", "generated digit 17"
  std::string bytes;  // a file, or 28x28 raw pixels
  int label = -1;     // index of its class; -1: not known
};

struct BenchPictures {
  std::vector<BenchPicture> pictures;  // at least one
  bool encoded = false;                // bytes are files
  std::string about;                   // "1000 generated digits (seed 1)"
};

// Reads or draws what `options` ask for. The status names the flag and the file or folder.
absl::StatusOr<BenchPictures> LoadBenchPictures(const BenchOptions& options);

}  // namespace digit
