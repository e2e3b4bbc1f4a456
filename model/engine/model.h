// A model read from disk, checked as far as that goes without running it.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "model/archive/model_file.h"
#include "model/spec/model_spec.h"

namespace digit {

// A model's file, and the one beside it that may say its spec; read, and not yet looked into.
struct ModelFiles {
  std::string path;  // as given
  std::string bytes;
  std::string spec_path, spec_json;  // empty: there is none
};

// Immutable after LoadModel(); shared between executors.
struct Model {
  std::string path;    // as given
  std::string bytes;   // the whole file, kept only when the torch module may need it (TorchScript)
  std::string sha256;  // 64 hex digits, of the file
  // Tells versions apart, 64 hex digits: `sha256`, or a digest of that and the file beside it when the spec is there.
  std::string identity;
  ModelFile file;  // tensors
  ModelSpec spec;  // from inside the file, else from beside it, else defaults
  // Ours or a state_dict of the network: the CPU engine serves it. Otherwise only the torch module can.
  bool is_digit_cnn = false;
};

// Digests, parses and finds the spec: inside the file, else in the one beside it, else DefaultSpec(). Every error names
// the path in one line.
absl::StatusOr<Model> LoadModel(ModelFiles files);

// Reads PATH, and STEM.json beside it, else model.json beside it when the folder is a version (its name is a number).
absl::StatusOr<ModelFiles> ReadModelFiles(const std::string& path);

// Both at once.
absl::StatusOr<Model> LoadModel(const std::string& path);

// At most so many bytes are read of STEM.json: 64 references of 1,000 classes are 0.5 MiB. A guess with room.
inline constexpr int64_t kMaxSpecBytes = int64_t{16} << 20;

// Call once, before the model is shared, with what the first engine made for it says. INVALID_ARGUMENT when the spec
// has another number of labels.
absl::Status FitSpec(int num_classes, Model* model);

}  // namespace digit
