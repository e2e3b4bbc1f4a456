#include "model/training/data_digest.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/sha256.h"

namespace digit {

std::string DigestOf(const LabeledImages& images) {
  std::string bytes(images.pixels.begin(), images.pixels.end());
  bytes.append(images.labels.begin(), images.labels.end());
  return Sha256Hex(bytes);
}

absl::Status CheckDataset(absl::string_view name, const LabeledImages& test) {
  // DigestOf() the test pictures.
  constexpr std::pair<absl::string_view, absl::string_view> kDigests[] = {
      {"mnist", "c3f9adf9c66efb572b1f9326c3a511b45910c7173b97be66ceceeeeaef6b802b"},
      {"fashion-mnist", "9f1ec356a747bfe4ebab3cfb722d3694c9ca737e2570f6f90cf31d7b6fd689d4"}};
  const std::string digest = DigestOf(test);
  for (const auto& [known, known_digest] : kDigests) {
    if (digest != known_digest || name == known) continue;
    return absl::InvalidArgumentError(absl::StrCat("these are the test pictures of ", known, ", not of ", name,
                                                   ": the data set, or its folder, must be named ", known));
  }
  return absl::OkStatus();
}

}  // namespace digit
