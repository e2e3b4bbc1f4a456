#include "model/engine/torch/guarded.h"

#include <c10/util/Exception.h>

#include "absl/strings/str_cat.h"
#include "model/engine/thrown_reason.h"

namespace digit {
namespace {

absl::Status Failed(absl::StatusCode code, absl::string_view what, absl::string_view thrown) {
  return absl::Status(code, absl::StrCat("LibTorch cannot ", what, ": ", ReasonOf(thrown)));
}

}  // namespace

absl::Status Guarded(absl::StatusCode code, absl::string_view what, const std::function<absl::Status()>& body) {
  try {
    return body();
  } catch (const c10::OutOfMemoryError& e) {
    return Failed(absl::StatusCode::kResourceExhausted, what, e.what_without_backtrace());
  } catch (const c10::Error& e) {
    return Failed(code, what, e.what_without_backtrace());
  } catch (const std::exception& e) {
    return Failed(code, what, e.what());
  } catch (...) {
    return absl::Status(code, absl::StrCat("LibTorch cannot ", what, ": an exception of unknown type"));
  }
}

}  // namespace digit
