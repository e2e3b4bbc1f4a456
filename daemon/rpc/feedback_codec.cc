#include "daemon/rpc/feedback_codec.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "daemon/rpc/codec.h"
#include "daemon/rpc/status_mapping.h"

namespace digit {
namespace {

constexpr int kMaxPage = 1000, kDefaultPage = 100, kMaxReviewed = 1000;

v1::FeedbackState EncodeState(CorrectionState state) {
  switch (state) {
    case CorrectionState::kPending:
      return v1::FEEDBACK_STATE_PENDING;
    case CorrectionState::kAccepted:
      return v1::FEEDBACK_STATE_ACCEPTED;
    case CorrectionState::kRejected:
      return v1::FEEDBACK_STATE_REJECTED;
  }
  return v1::FEEDBACK_STATE_UNSPECIFIED;
}

void EncodeTally(const AnswerTally& tally, v1::AnswerStats* out) {
  const int64_t images = tally.images();
  out->set_images(images);
  out->mutable_classes()->Add(tally.classes.begin(), tally.classes.end());
  if (images > 0) out->set_mean_confidence(std::min(tally.confidence / static_cast<double>(images), 1.0));
  out->set_unsure(tally.unsure);
  out->set_no_digit(tally.no_digit);
}

}  // namespace

std::string HostOfPeer(absl::string_view peer) {
  if (!absl::ConsumePrefix(&peer, "ipv4:") && !absl::ConsumePrefix(&peer, "ipv6:")) return std::string(peer);
  const std::string host =
      absl::StrReplaceAll(peer.substr(0, peer.rfind(':')), {{"%5B", ""}, {"%5D", ""}, {"%25", "%"}});
  return std::string(absl::StripSuffix(absl::StripPrefix(host, "["), "]"));
}

absl::StatusOr<CorrectionCall> DecodeSubmitFeedback(const v1::SubmitFeedbackRequest& request, absl::string_view peer) {
  CorrectionCall call;
  call.model = request.model();
  call.version = request.version();
  call.image = DecodeImage(request.image());
  call.source = request.source().empty() ? HostOfPeer(peer) : request.source();
  if (request.has_answered_label() && !request.answered_label().empty()) {
    call.answered = request.answered_label();
  } else if (request.answered_not_a_digit()) {
    call.answered = std::string(kNotADigitLabel);
  }
  if (!request.label().empty()) {
    call.truth = request.label();
  } else if (request.not_a_digit()) {
    call.truth = std::string(kNotADigitLabel);
  } else {
    return absl::InvalidArgumentError("truth is missing: set label, or not_a_digit to true");
  }
  return call;
}

absl::StatusOr<CorrectionState> DecodeFeedbackState(int state) {
  switch (state) {
    case v1::FEEDBACK_STATE_PENDING:
      return CorrectionState::kPending;
    case v1::FEEDBACK_STATE_ACCEPTED:
      return CorrectionState::kAccepted;
    case v1::FEEDBACK_STATE_REJECTED:
      return CorrectionState::kRejected;
    default:
      return absl::InvalidArgumentError(absl::StrCat(
          "state is ", state,
          ", must be FEEDBACK_STATE_PENDING (1), FEEDBACK_STATE_ACCEPTED (2) or FEEDBACK_STATE_REJECTED (3)"));
  }
}

absl::StatusOr<FeedbackStore::Query> DecodeListFeedback(const v1::ListFeedbackRequest& request) {
  if (request.page_size() < 0 || request.page_size() > kMaxPage) {
    return absl::InvalidArgumentError(absl::StrCat("page_size is ", request.page_size(), ", must be in 0..", kMaxPage));
  }
  FeedbackStore::Query query{.model = request.model(), .with_pixels = request.include_pixels()};
  query.limit = (request.page_size() == 0 ? kDefaultPage : request.page_size()) + 1;
  if (request.state() != v1::FEEDBACK_STATE_UNSPECIFIED) {
    ASSIGN_OR_RETURN(query.state, DecodeFeedbackState(request.state()));
  }
  if (!request.page_token().empty() && !absl::SimpleAtoi(request.page_token(), &query.before_id)) {
    return absl::InvalidArgumentError("page_token is none that ListFeedback gave");
  }
  return query;
}

void EncodeListFeedback(const std::vector<StoredCorrection>& found, const FeedbackStore::Query& query,
                        v1::ListFeedbackResponse* response) {
  const size_t page = static_cast<size_t>(query.limit) - 1;
  for (size_t i = 0; i < std::min(found.size(), page); ++i) EncodeFeedback(found[i], response->add_feedback());
  if (found.size() > page) response->set_next_page_token(absl::StrCat(found[page - 1].id));
}

absl::StatusOr<std::vector<int64_t>> DecodeReviewIds(const v1::ReviewFeedbackRequest& request) {
  if (request.ids_size() < 1 || request.ids_size() > kMaxReviewed) {
    return absl::InvalidArgumentError(absl::StrCat("ids has ", request.ids_size(), ", must have 1..", kMaxReviewed));
  }
  return std::vector<int64_t>(request.ids().begin(), request.ids().end());
}

void EncodeFeedback(const StoredCorrection& correction, v1::Feedback* out) {
  out->set_id(correction.id);
  out->set_state(EncodeState(correction.state));
  out->set_model(correction.model);
  out->set_version(correction.version);
  if (correction.answered.has_value()) {
    if (*correction.answered == kNotADigitLabel) {
      out->set_answered_not_a_digit(true);
    } else {
      out->set_answered_label(*correction.answered);
    }
  }
  if (correction.truth == kNotADigitLabel) {
    out->set_not_a_digit(true);
  } else {
    out->set_label(correction.truth);
  }
  out->set_source(correction.source);
  EncodeTime(correction.created, out->mutable_created());
  out->set_pixels(correction.pixels);
  out->set_agreeing_sources(correction.agreeing_sources);
}

void EncodeModelStats(const ModelStats& stats, v1::GetModelStatsResponse* response) {
  response->set_model(stats.model);
  response->set_corrections_error(PublicMessage(stats.corrections));
  for (const VersionStats& version : stats.versions) {
    v1::VersionStats* out = response->add_versions();
    out->set_version(version.version);
    for (const std::string& label : stats.labels) out->add_labels(label);
    if (version.answers.has_value()) {
      EncodeTally(version.answers->all, out->mutable_answers());
      if (version.answers->reference.has_value()) EncodeTally(*version.answers->reference, out->mutable_reference());
      if (version.answers->latest.has_value()) EncodeTally(*version.answers->latest, out->mutable_latest());
    }
    if (version.drift.has_value()) out->set_drift(*version.drift);
    out->set_corrections(version.corrections);
    out->set_confirmed(version.confirmed);
    out->mutable_confusion()->Add(version.confusion.begin(), version.confusion.end());
  }
}

}  // namespace digit
