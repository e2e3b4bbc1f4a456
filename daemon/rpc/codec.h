// Messages of digit.v1 <-> the value types of daemon/serving. No logic, no copies of image bytes.
#pragma once

#include "absl/status/statusor.h"
#include "daemon/serving/recognizer.h"
#include "digit/v1/digit.pb.h"

namespace digit {

// The call points into `request`, which must outlive it. Deadline and cancellation are the transport's to set.
RecognizeCall DecodeRecognize(const v1::RecognizeRequest& request);

void EncodeRecognize(const RecognizeResult& result, const v1::RecognizeOptions& options,
                     v1::RecognizeResponse* response);

// The trailer digit-timing, as digit.proto describes it.
std::string FormatTimingLine(const RecognizeResult& result);

void EncodeModel(const LiveModel& model, bool is_default, v1::Model* out);

}  // namespace digit
