// A model read from disk, checked as far as that goes without running it.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "model/archive/model_file.h"
#include "model/spec/model_spec.h"

namespace digit {

// Immutable after LoadModel(); shared between executors.
struct Model {
  std::string path;    // as given
  std::string bytes;   // the whole file, kept only when the torch module may need it (TorchScript)
  std::string sha256;  // 64 hex digits, of the file
  ModelFile file;      // tensors
  ModelSpec spec;      // from inside the file, else from beside it, else defaults
  // Ours or a state_dict of the network: the CPU engine serves it. Otherwise only the torch module can.
  bool is_digit_cnn = false;
};

// Reads, digests, parses and finds the spec: inside the file, else STEM.json beside it, else model.json beside it when
// the folder is a version (its name is a number), else DefaultSpec(). Every error names the path in one line.
absl::StatusOr<Model> LoadModel(const std::string& path);
// The same of a file that has been read (ReadModelFile), so that its digest can be known whatever it is.
absl::StatusOr<Model> LoadModel(const std::string& path, std::string bytes);
absl::StatusOr<std::string> ReadModelFile(const std::string& path);

// Call once, before the model is shared, with what the first engine made for it says. INVALID_ARGUMENT when the spec
// has another number of labels.
absl::Status FitSpec(int num_classes, Model* model);

}  // namespace digit
