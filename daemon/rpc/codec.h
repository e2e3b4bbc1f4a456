// Messages of digit.v1 <-> the value types of daemon/serving. No copies of image bytes.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "daemon/serving/recognizer.h"
#include "digit/v1/digit.pb.h"

namespace digit {

// Points into `image`.
ImageInput DecodeImage(const v1::Image& image);

// The call points into `request`, which must outlive it. Deadline and cancellation are the transport's to set.
// INVALID_ARGUMENT names an enum that has a value which digit.proto does not know.
absl::StatusOr<RecognizeCall> DecodeRecognize(const v1::RecognizeRequest& request);

void EncodeRecognize(const RecognizeResult& result, const v1::RecognizeOptions& options,
                     v1::RecognizeResponse* response);

// The trailer digit-timing, as digit.proto describes it.
std::string FormatTimingLine(const RecognizeResult& result);

// Where a call came from, for the access log.
struct CallOrigin {
  std::string peer;
  std::string request_ids;  // the metadata x-request-id; with commas: a gateway's calls may have several
  std::string traceparent;  // the metadata of that name
};

// An answered call, or message of a stream.
struct AnsweredCall {
  absl::string_view method;
  absl::string_view model, version;  // as asked for
  size_t images = 0;
  CallOrigin origin;
  absl::Duration took;  // from arrival to answer
};
AnsweredCall AnsweredCallOf(absl::string_view method, const v1::RecognizeRequest& request, CallOrigin origin,
                            absl::Duration took);

// The access log's line; FormatTimingLine() is its end, or for a failure `message`, which the client gets:
//   call method=Recognize code=OK images=1 peer=ipv4:127.0.0.1:4711 duration=93us decode=0us queue=12us ...
//   call method=Recognize code=NOT_FOUND images=1 peer=... duration=9us model=x message="no model 'x'"
// After the duration come request_id and traceparent, where the call has them.
std::string FormatAccessLine(const AnsweredCall& call, const absl::StatusOr<RecognizeResult>& result,
                             absl::string_view message);

void EncodeTime(absl::Time time, google::protobuf::Timestamp* out);

void EncodeModel(const ModelDescription& model, v1::Model* out);

}  // namespace digit
