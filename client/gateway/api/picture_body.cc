#include "client/gateway/api/picture_body.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/json.h"
#include "base/status.h"
#include "client/gateway/api/message_json.h"
#include "client/gateway/api/multipart.h"

namespace digit {
namespace {

absl::Status Include(absl::string_view what, PictureBody* body) {
  if (what == "pixels") {
    body->include_pixels = true;
  } else if (what == "timing") {
    body->include_timing = true;
  } else {
    return absl::InvalidArgumentError(absl::StrCat("include '", what.substr(0, 40), "' is none of pixels, timing"));
  }
  return absl::OkStatus();
}

// A list with commas, as in a query or a form.
absl::Status IncludeAll(absl::string_view list, PictureBody* body) {
  for (const absl::string_view what : absl::StrSplit(list, ',', absl::SkipEmpty())) {
    RETURN_IF_ERROR(Include(what, body));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> StringOf(const json::value& value, absl::string_view what) {
  if (!value.is_string()) return absl::InvalidArgumentError(absl::StrCat("\"", what, "\" must be a string"));
  return std::string(value.get_string());
}

absl::Status ReadImages(const json::value& value, PictureBody* body) {
  if (!value.is_array()) return absl::InvalidArgumentError("\"images\" must be a list of strings");
  body->is_list = true;
  for (const json::value& item : value.get_array()) {
    const std::string what = absl::StrCat("images[", body->pictures.size(), "]");
    ASSIGN_OR_RETURN(const std::string text, StringOf(item, what));
    absl::StatusOr<std::string> picture = DecodePicture(text, what);
    if (!picture.ok()) {
      body->unreadable.emplace_back(static_cast<int>(body->pictures.size()), std::string(picture.status().message()));
      picture = "";
    }
    body->pictures.push_back(*std::move(picture));
  }
  return absl::OkStatus();
}

absl::Status ReadJson(absl::string_view text, PictureBody* body) {
  ASSIGN_OR_RETURN(const json::value value, ParseJson(text, "the body", kMaxBodyValues));
  if (!value.is_object()) return absl::InvalidArgumentError(R"(the body must be an object such as {"image": "..."})");
  for (const auto& [key, member] : value.get_object()) {
    if (key == "image") {
      ASSIGN_OR_RETURN(const std::string image, StringOf(member, "image"));
      ASSIGN_OR_RETURN(std::string picture, DecodePicture(image, "image"));
      body->pictures.push_back(std::move(picture));
    } else if (key == "images") {
      RETURN_IF_ERROR(ReadImages(member, body));
    } else if (key == "version") {
      ASSIGN_OR_RETURN(body->version, StringOf(member, "version"));
    } else if (key == "include") {
      if (!member.is_array()) return absl::InvalidArgumentError(R"("include" must be a list such as ["pixels"])");
      for (const json::value& item : member.get_array()) {
        ASSIGN_OR_RETURN(const std::string what, StringOf(item, "include"));
        RETURN_IF_ERROR(Include(what, body));
      }
    } else {
      return absl::InvalidArgumentError(absl::StrCat("the body has an unknown member \"",
                                                     absl::string_view(key.data(), std::min<size_t>(key.size(), 40)),
                                                     "\"; known are image, images, version, include"));
    }
  }
  if (value.get_object().contains("image") == value.get_object().contains("images")) {
    return absl::InvalidArgumentError("the body must have exactly one of \"image\" and \"images\"");
  }
  if (body->pictures.empty()) return absl::InvalidArgumentError("\"images\" is empty; send at least one picture");
  return absl::OkStatus();
}

absl::Status ReadForm(const HttpRequest& request, PictureBody* body) {
  ASSIGN_OR_RETURN(const std::vector<FormPart> parts, ParseMultipart(request.header("content-type"), request.body));
  // Other fields, such as a button's, are none of our business.
  for (const FormPart& part : parts) {
    if (part.is_file || part.name == "image") {
      body->pictures.emplace_back(part.bytes);
    } else if (part.name == "version") {
      body->version = std::string(part.bytes);
    } else if (part.name == "include") {
      RETURN_IF_ERROR(IncludeAll(part.bytes, body));
    }
  }
  body->is_list = body->pictures.size() > 1;
  if (body->pictures.empty()) return absl::InvalidArgumentError("the form has no file: send one as -F image=@FILE");
  return absl::OkStatus();
}

}  // namespace

std::string MediaTypeOf(absl::string_view content_type) {
  return absl::AsciiStrToLower(absl::StripAsciiWhitespace(content_type.substr(0, content_type.find(';'))));
}

absl::StatusOr<std::string> DecodePicture(absl::string_view text, absl::string_view what) {
  if (absl::StartsWithIgnoreCase(text, "data:")) {
    const size_t comma = text.find(',');
    if (comma == absl::string_view::npos || !absl::EndsWithIgnoreCase(text.substr(0, comma), ";base64")) {
      return absl::InvalidArgumentError(absl::StrCat(what, " is a data URL without \";base64,\""));
    }
    text.remove_prefix(comma + 1);
  }
  std::string bytes;
  if (!absl::Base64Unescape(text, &bytes)) {
    return absl::InvalidArgumentError(absl::StrCat(what, " is neither base64 nor a data URL"));
  }
  return bytes;
}

absl::StatusOr<PictureBody> ReadPictureBody(const HttpRequest& request, const Url& url) {
  PictureBody body;
  for (const auto& [name, value] : url.query) {
    if (name == "version") {
      body.version = value;
    } else if (name == "include") {
      RETURN_IF_ERROR(IncludeAll(value, &body));
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("the query has an unknown name ", name.substr(0, 40), "; known are version, include"));
    }
  }
  const std::string type = MediaTypeOf(request.header("content-type"));
  if (type == "application/json") {
    RETURN_IF_ERROR(ReadJson(request.body, &body));
  } else if (type == "multipart/form-data") {
    RETURN_IF_ERROR(ReadForm(request, &body));
  } else if (type.empty() || type == "application/octet-stream" || absl::StartsWith(type, "image/") ||
             type == "application/x-www-form-urlencoded") {  // what curl --data-binary says of a file
    if (request.body.empty()) return absl::InvalidArgumentError("the body is empty; it must be an image file");
    body.pictures.push_back(request.body);
  } else {
    return absl::UnimplementedError(
        absl::StrCat("Content-Type '", type.substr(0, 60),
                     "' is none of image/*, application/octet-stream, multipart/form-data, application/json"));
  }
  return body;
}

}  // namespace digit
