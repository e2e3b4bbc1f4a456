// Which pictures these are.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "model/dataset/idx.h"

namespace digit {

// SHA-256 over all pictures and then all labels: the same whether the files were compressed or not.
std::string DigestOf(const LabeledImages& images);

// INVALID_ARGUMENT when `test` are the test pictures of another known data set than `name`: a model must not claim an
// accuracy on what it never saw. Pictures of one's own are fine.
absl::Status CheckDataset(absl::string_view name, const LabeledImages& test);

}  // namespace digit
