// The calls of digit.v1.DigitService about corrections and how models do.
#include <utility>

#include "daemon/rpc/calls.h"
#include "daemon/rpc/deadline.h"
#include "daemon/rpc/digit_service.h"
#include "daemon/rpc/feedback_codec.h"

namespace digit {

grpc::ServerUnaryReactor* DigitServiceImpl::SubmitFeedback(grpc::CallbackServerContext* context,
                                                           const v1::SubmitFeedbackRequest* request,
                                                           v1::SubmitFeedbackResponse* response) {
  UnaryCall* reactor = StartCall("SubmitFeedback");
  const size_t bytes = request->ByteSizeLong();
  const auto answer = [this, context, reactor, response, bytes](absl::StatusOr<FeedbackStore::Added> added) {
    if (added.ok()) {
      EncodeFeedback(added->correction, response->mutable_feedback());
      response->set_duplicate(added->duplicate);
    }
    AddRetryAfter(added.status(), context);
    picture_calls_.bytes->Give(bytes);
    FinishWith(reactor, added.status());
  };
  const absl::Status fits = picture_calls_.bytes->Take(bytes);
  absl::StatusOr<CorrectionCall> call = DecodeSubmitFeedback(*request, context->peer());
  if (!fits.ok() || !call.ok()) {
    answer(fits.ok() ? call.status() : fits);
    return reactor;
  }
  call->task_class.flow = FlowOf(*context);
  call->deadline = DeadlineOf(*context, *options_.clock);
  corrections_->Submit(*std::move(call), answer);
  return reactor;
}

grpc::ServerUnaryReactor* DigitServiceImpl::ListFeedback(grpc::CallbackServerContext* context,
                                                         const v1::ListFeedbackRequest* request,
                                                         v1::ListFeedbackResponse* response) {
  UnaryCall* reactor = StartCall("ListFeedback");
  if (!Admits(authorizer_, "ListFeedback", *context, request->model(), reactor)) return reactor;
  const absl::StatusOr<FeedbackStore::Query> query = DecodeListFeedback(*request);
  if (!query.ok()) return FinishWith(reactor, query.status());
  corrections_->List(*query,
                     [context, reactor, response, query = *query](absl::StatusOr<std::vector<StoredCorrection>> found) {
                       if (found.ok()) EncodeListFeedback(*found, query, response);
                       AddRetryAfter(found.status(), context);
                       FinishWith(reactor, found.status());
                     });
  return reactor;
}

grpc::ServerUnaryReactor* DigitServiceImpl::ReviewFeedback(grpc::CallbackServerContext* context,
                                                           const v1::ReviewFeedbackRequest* request,
                                                           v1::ReviewFeedbackResponse* response) {
  UnaryCall* reactor = StartCall("ReviewFeedback");
  const std::string what = absl::StrCat(request->ids_size(), " corrections");
  if (!Admits(authorizer_, "ReviewFeedback", *context, what, reactor)) return reactor;
  absl::StatusOr<std::vector<int64_t>> ids = DecodeReviewIds(*request);
  if (!ids.ok()) return FinishWith(reactor, ids.status());
  const absl::StatusOr<CorrectionState> state = DecodeFeedbackState(request->state());
  if (!state.ok()) return FinishWith(reactor, state.status());
  corrections_->Review(*std::move(ids), *state,
                       [context, reactor, response, what](absl::StatusOr<std::vector<StoredCorrection>> reviewed) {
                         LogAdminCall("ReviewFeedback", *context, what, reviewed.status());
                         if (reviewed.ok()) {
                           for (const StoredCorrection& correction : *reviewed)
                             EncodeFeedback(correction, response->add_feedback());
                         }
                         AddRetryAfter(reviewed.status(), context);
                         FinishWith(reactor, reviewed.status());
                       });
  return reactor;
}

grpc::ServerUnaryReactor* DigitServiceImpl::GetModelStats(grpc::CallbackServerContext* context,
                                                          const v1::GetModelStatsRequest* request,
                                                          v1::GetModelStatsResponse* response) {
  UnaryCall* reactor = StartCall("GetModelStats");
  corrections_->Stats(request->model(), [context, reactor, response](const absl::StatusOr<ModelStats>& stats) {
    if (stats.ok()) EncodeModelStats(*stats, response);
    AddRetryAfter(stats.status(), context);
    FinishWith(reactor, stats.status());
  });
  return reactor;
}

}  // namespace digit
