#include "daemon/rpc/recognize_stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/retry_after.h"
#include "daemon/rpc/codec.h"
#include "daemon/rpc/status_mapping.h"

namespace digit {
namespace {

// The message's own timeout, if any, within the RPC's deadline. INVALID_ARGUMENT unless it is above 0.
absl::StatusOr<SteadyTime> DeadlineOf(const v1::RecognizeStreamRequest& request, SteadyTime rpc_deadline,
                                      SteadyTime now) {
  if (!request.has_timeout()) return rpc_deadline;
  if (request.timeout().nanos() < 0 || request.timeout().nanos() > 999'999'999) {
    return absl::InvalidArgumentError(
        absl::StrCat("timeout.nanos is ", request.timeout().nanos(), ", must be in 0..999999999"));
  }
  const absl::Duration timeout =
      absl::Seconds(request.timeout().seconds()) + absl::Nanoseconds(request.timeout().nanos());
  if (timeout <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(absl::StrCat("timeout is ", absl::FormatDuration(timeout), ", must be above 0"));
  }
  return std::min(rpc_deadline, now + timeout);
}

void EncodeStreamError(const absl::Status& status, v1::StreamError* error) {
  error->set_code(static_cast<int>(status.code()));
  error->set_message(PublicMessage(status));
  if (const auto retry_after = RetryAfterOf(status)) {
    error->mutable_retry_after()->set_seconds(absl::ToInt64Seconds(*retry_after));
    error->mutable_retry_after()->set_nanos(
        static_cast<int>(absl::ToInt64Nanoseconds(*retry_after % absl::Seconds(1))));
  }
}

}  // namespace

void RecognizeStreamReactor::Recognize(Slot* slot) {
  const v1::RecognizeStreamRequest& request = *slot->request.get();
  absl::StatusOr<RecognizeCall> call = DecodeRecognize(request.request());
  SetImages(slot, call.ok() ? Recognizer::CountImages(*call) : 1);
  if (!call.ok()) return Answer(slot, call.status());
  const absl::StatusOr<SteadyTime> deadline = DeadlineOf(request, options().deadline, options().clock->Now());
  if (!deadline.ok()) return Answer(slot, deadline.status());
  call->task_class.flow = flow();
  call->cancelled = cancelled();
  call->deadline = *deadline;
  recognizer_->Recognize(*std::move(call),
                         [this, slot](absl::StatusOr<RecognizeResult> result) { Answer(slot, result); });
}

void RecognizeStreamReactor::Answer(Slot* slot, const absl::StatusOr<RecognizeResult>& result) {
  const v1::RecognizeStreamRequest& request = *slot->request.get();
  v1::RecognizeStreamResponse* response = slot->response.New();
  response->set_id(request.id());
  if (result.ok()) {
    EncodeRecognize(*result, request.request().options(), response->mutable_response());
  } else {
    EncodeStreamError(result.status(), response->mutable_error());
  }
  const absl::Duration took = options().clock->Now() - slot->arrived;
  if (options().metrics != nullptr) {
    options().metrics->CountHot(HotMethod::kRecognizeStream, static_cast<grpc::StatusCode>(response->error().code()),
                                took);
  }
  if (!options().origin.peer.empty()) {
    LogInfo(FormatAccessLine(AnsweredCallOf("RecognizeStream", request.request(), options().origin, took), result,
                             response->error().message()));
  }
  Answered(slot);
}

}  // namespace digit
