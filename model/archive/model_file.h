// Reads a `.pt` file without running anything in it and without LibTorch.
//
// A .pt file is a zip with a pickle (a small program) inside. This reader accepts a fixed list of zip features, pickle
// opcodes and classes, checks every size and offset against the bytes there are, and refuses all else. Of TorchScript
// it looks at all that LibTorch reads before it runs a line: version, both pickles and the storages they name. Whether
// the code may run is decided elsewhere (model/engine).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace digit {

// A dense float32 tensor, contiguous, row-major.
struct NamedTensor {
  std::string name;  // "conv1.weight"
  std::vector<int64_t> shape;
  std::vector<float> values;
};

struct ModelFile {
  enum class Kind {
    kTorchScript,  // torch.jit.save or C++ Module::save; `tensors` holds the parameters that could be read
    kStateDict,    // Python's torch.save(model.state_dict(), f), 1.6 to 2.x
  };
  Kind kind = Kind::kTorchScript;
  std::vector<NamedTensor> tensors;  // in file order; names are unique
  std::string model_json;            // extra/model.json, empty when the file has none
};

inline constexpr int64_t kMaxModelFileBytes = int64_t{256} << 20;

// INVALID_ARGUMENT in one line: what the file is instead (empty, truncated, a pickled whole module, ONNX, text, ...)
// and what to do, or which limit it breaks. Never allocates more than a small multiple of bytes.size().
absl::StatusOr<ModelFile> ParseModelFile(absl::string_view bytes);

}  // namespace digit
