// The pictures in the body of a request, in any of the forms that people send them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "client/gateway/api/url.h"
#include "client/gateway/http/message.h"

namespace digit {

struct PictureBody {
  std::vector<std::string> pictures;                    // whole files, as they came
  std::vector<std::pair<int, std::string>> unreadable;  // of a list: which are no base64, with why; these are empty
  bool is_list = false;                                 // sent as a list, so answered as one, however many there are
  std::string version;                                  // empty: the live one
  bool include_pixels = false, include_timing = false;
};

// Content-Type image/*, application/octet-stream or none: the body is one file. multipart/form-data: every part with a
// file name, or named "image", is one. application/json: {"image": P} or {"images": [P, ...]}, each base64 or a data
// URL. `version` and `include` may be in the query, or be fields of the form or members of the JSON. The
// query and the JSON may hold nothing else. INVALID_ARGUMENT says what is wrong; UNIMPLEMENTED: another content type
// (HTTP 415).
absl::StatusOr<PictureBody> ReadPictureBody(const HttpRequest& request, const Url& url);

// One picture as text: base64, or a data URL "data:image/png;base64,...". `what` names it in errors.
absl::StatusOr<std::string> DecodePicture(absl::string_view text, absl::string_view what);

// "image/png" of "Image/PNG; charset=x".
std::string MediaTypeOf(absl::string_view content_type);

}  // namespace digit
