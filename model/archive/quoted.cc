#include "model/archive/quoted.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace digit {

std::string Quoted(absl::string_view text) {
  constexpr size_t kMaxShown = 80;
  const absl::string_view shown = text.substr(0, kMaxShown);
  return absl::StrCat("'", absl::CHexEscape(shown), text.size() > kMaxShown ? "..." : "", "'");
}

}  // namespace digit
