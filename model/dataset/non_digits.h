// Pictures that are anything but one digit.
#pragma once

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "model/dataset/random.h"
#include "model/dataset/strokes.h"

namespace digit {

struct NonDigitKind {
  absl::string_view name;
  FramedPixels (*draw)(Random&);
};
absl::Span<const NonDigitKind> NonDigitKinds();

// One of the kinds, each equally often.
FramedPixels DrawNonDigitPicture(Random& random);

}  // namespace digit
