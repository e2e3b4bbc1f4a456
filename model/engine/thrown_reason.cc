#include "model/engine/thrown_reason.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace digit {
namespace {

constexpr size_t kMaxReasonBytes = 500;

// `line` without LibTorch's words about itself: "[enforce fail at inline_container.cc:145] . PytorchStreamReader ..."
absl::string_view WithoutItsOwn(absl::string_view line) {
  line = absl::StripAsciiWhitespace(line);
  if (absl::StartsWith(line, "[enforce fail at ") && absl::StrContains(line, "] ")) {
    line.remove_prefix(line.find("] ") + 2);
    line = absl::StripAsciiWhitespace(absl::StripPrefix(absl::StripLeadingAsciiWhitespace(line), "."));
  }
  line = line.substr(0, line.find("Could this error message be improved"));
  line = absl::StripSuffix(absl::StripTrailingAsciiWhitespace(line), "(");
  line = absl::StripSuffix(line, ":");  // what it announces stands on other lines
  return absl::StripTrailingAsciiWhitespace(line);
}

absl::string_view FirstLine(absl::string_view text) {
  for (const absl::string_view whole : absl::StrSplit(text, '\n')) {
    const absl::string_view line = WithoutItsOwn(whole);
    const auto says = [](unsigned char c) { return absl::ascii_isalnum(c); };
    if (std::any_of(line.begin(), line.end(), says)) return line.substr(0, kMaxReasonBytes);
  }
  return "";
}

}  // namespace

std::string ReasonOf(absl::string_view what) {
  constexpr absl::string_view kRuntimeError = "RuntimeError: ";
  absl::string_view reason;
  const size_t at = what.rfind(kRuntimeError);
  if (at != absl::string_view::npos) reason = FirstLine(what.substr(at + kRuntimeError.size()));
  if (reason.empty()) reason = FirstLine(what);
  return reason.empty() ? "it gives no reason" : std::string(reason);
}

}  // namespace digit
