// Messages of digit.v1 about corrections <-> the value types of daemon/feedback and daemon/serving.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "daemon/serving/corrections.h"
#include "digit/v1/digit.pb.h"

namespace digit {

// The call points into `request`, which must outlive it. `peer`: the source of a request without one. Deadline and flow
// are the transport's to set. INVALID_ARGUMENT: no truth.
absl::StatusOr<CorrectionCall> DecodeSubmitFeedback(const v1::SubmitFeedbackRequest& request, absl::string_view peer);

// One more than a page, so that it is known whether another follows. INVALID_ARGUMENT names the field.
absl::StatusOr<FeedbackStore::Query> DecodeListFeedback(const v1::ListFeedbackRequest& request);
void EncodeListFeedback(const std::vector<StoredCorrection>& found, const FeedbackStore::Query& query,
                        v1::ListFeedbackResponse* response);

// INVALID_ARGUMENT: no ids or too many.
absl::StatusOr<std::vector<int64_t>> DecodeReviewIds(const v1::ReviewFeedbackRequest& request);
// INVALID_ARGUMENT: none, or one that digit.proto does not know.
absl::StatusOr<CorrectionState> DecodeFeedbackState(int state);

void EncodeFeedback(const StoredCorrection& correction, v1::Feedback* out);
void EncodeModelStats(const ModelStats& stats, v1::GetModelStatsResponse* response);

// "10.0.0.7" for gRPC's "ipv4:10.0.0.7:4711", "::1" for "ipv6:%5B::1%5D:4711"; anything else as it is.
std::string HostOfPeer(absl::string_view peer);

}  // namespace digit
