#include <future>

#include "daemon/rpc/feedback_codec.h"
#include "gmock/gmock.h"
#include "tests/unit/daemon/rpc/digit_service_fixture.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

class FeedbackCallsTest : public DigitServiceTest {
 protected:
  v1::SubmitFeedbackRequest Say(int picture, const std::string& label) {
    v1::SubmitFeedbackRequest request;
    request.mutable_image()->set_pixels(Raw(picture));
    request.set_version("1");
    request.set_answered_label("1");
    request.set_label(label);
    return request;
  }
  grpc::Status Submit(const v1::SubmitFeedbackRequest& request, v1::SubmitFeedbackResponse* response) {
    grpc::ClientContext context;
    return stub_->SubmitFeedback(&context, request, response);
  }
  int64_t Submitted(const v1::SubmitFeedbackRequest& request) {
    v1::SubmitFeedbackResponse response;
    const grpc::Status status = Submit(request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.feedback().id();
  }
  void ExpectRefused(const v1::SubmitFeedbackRequest& request, grpc::StatusCode code, const std::string& words) {
    v1::SubmitFeedbackResponse response;
    const grpc::Status status = Submit(request, &response);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_THAT(status.error_message(), HasSubstr(words));
  }
  grpc::Status List(const v1::ListFeedbackRequest& request, v1::ListFeedbackResponse* response) {
    grpc::ClientContext context;
    return stub_->ListFeedback(&context, request, response);
  }
  grpc::Status Review(const std::vector<int64_t>& ids, v1::FeedbackState state, v1::ReviewFeedbackResponse* response) {
    grpc::ClientContext context;
    v1::ReviewFeedbackRequest request;
    request.mutable_ids()->Add(ids.begin(), ids.end());
    request.set_state(state);
    return stub_->ReviewFeedback(&context, request, response);
  }
};

TEST_F(FeedbackCallsTest, WhatWasSubmittedIsListed) {
  v1::SubmitFeedbackRequest none = Say(1, "");
  none.set_not_a_digit(true);
  none.set_answered_not_a_digit(true);
  none.set_source("ada");
  Submitted(Say(7, "7"));
  Submitted(none);
  v1::ListFeedbackRequest request;
  request.set_include_pixels(true);
  v1::ListFeedbackResponse response;
  ASSERT_TRUE(List(request, &response).ok());
  ASSERT_EQ(response.feedback_size(), 2);
  EXPECT_EQ(response.next_page_token(), "");
  const v1::Feedback &newest = response.feedback(0), &oldest = response.feedback(1);
  EXPECT_TRUE(newest.not_a_digit());
  EXPECT_TRUE(newest.answered_not_a_digit());
  EXPECT_EQ(newest.source(), "ada");
  EXPECT_EQ(oldest.label(), "7");
  EXPECT_EQ(oldest.answered_label(), "1");
  EXPECT_EQ(oldest.model(), "fake");
  EXPECT_EQ(oldest.version(), "1");
  EXPECT_EQ(oldest.source(), "127.0.0.1");  // nobody said who
  EXPECT_EQ(oldest.pixels(), Raw(7));
  EXPECT_EQ(oldest.state(), v1::FEEDBACK_STATE_PENDING);
  EXPECT_EQ(oldest.agreeing_sources(), 1);
}

TEST_F(FeedbackCallsTest, TheSameAgainIsADuplicate) {
  const int64_t id = Submitted(Say(7, "7"));
  v1::SubmitFeedbackResponse response;
  ASSERT_TRUE(Submit(Say(7, "7"), &response).ok());
  EXPECT_TRUE(response.duplicate());
  EXPECT_EQ(response.feedback().id(), id);
}

TEST_F(FeedbackCallsTest, WhatCannotBeIsRefusedAndSaysWhy) {
  ExpectRefused(Say(7, ""), grpc::StatusCode::INVALID_ARGUMENT, "truth is missing");
  ExpectRefused(Say(7, "seven"), grpc::StatusCode::INVALID_ARGUMENT, "it has 0, 1, 2");
  v1::SubmitFeedbackRequest request = Say(7, "7");
  request.set_model("other");
  ExpectRefused(request, grpc::StatusCode::NOT_FOUND, "no model 'other'");
  request = Say(7, "7");
  request.clear_image();
  ExpectRefused(request, grpc::StatusCode::INVALID_ARGUMENT, "image has neither");
}

TEST_F(FeedbackCallsTest, PagesFollowEachOther) {
  for (int i = 1; i <= 5; ++i) Submitted(Say(i, "7"));
  v1::ListFeedbackRequest request;
  request.set_page_size(2);
  std::vector<int64_t> ids;
  int pages = 0;
  do {
    v1::ListFeedbackResponse response;
    ASSERT_TRUE(List(request, &response).ok());
    for (const v1::Feedback& feedback : response.feedback()) ids.push_back(feedback.id());
    request.set_page_token(response.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(pages, 3);
  EXPECT_THAT(ids, ::testing::ElementsAre(5, 4, 3, 2, 1));
}

TEST_F(FeedbackCallsTest, WrongListsAndReviewsNameTheField) {
  v1::ListFeedbackResponse listed;
  v1::ListFeedbackRequest request;
  request.set_page_size(1001);
  EXPECT_EQ(List(request, &listed).error_message(), "page_size is 1001, must be in 0..1000");
  request.set_page_size(1);
  request.set_page_token("x");
  EXPECT_EQ(List(request, &listed).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  request.clear_page_token();
  request.set_state(static_cast<v1::FeedbackState>(9));
  EXPECT_THAT(List(request, &listed).error_message(), HasSubstr("state is 9"));
  v1::ReviewFeedbackResponse reviewed;
  EXPECT_THAT(Review({}, v1::FEEDBACK_STATE_ACCEPTED, &reviewed).error_message(), HasSubstr("ids has 0"));
  EXPECT_THAT(Review({1}, v1::FEEDBACK_STATE_UNSPECIFIED, &reviewed).error_message(), HasSubstr("state is 0"));
  EXPECT_EQ(Review({1}, v1::FEEDBACK_STATE_ACCEPTED, &reviewed).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(FeedbackCallsTest, AReviewAnswersInTheOrderOfItsIds) {
  const int64_t first = Submitted(Say(1, "7")), second = Submitted(Say(2, "7"));
  v1::ReviewFeedbackResponse response;
  ASSERT_TRUE(Review({second, first}, v1::FEEDBACK_STATE_ACCEPTED, &response).ok());
  ASSERT_EQ(response.feedback_size(), 2);
  EXPECT_EQ(response.feedback(0).id(), second);
  EXPECT_EQ(response.feedback(1).state(), v1::FEEDBACK_STATE_ACCEPTED);
}

TEST_F(FeedbackCallsTest, LookingAtPicturesAndReviewingIsForAdmins) {
  DigitServiceImpl::Options options;
  options.authorizer.listens_on_loopback = false;
  DigitServiceImpl guarded(options, &call_bytes_, &recognizer_, &registry_, &loader_, &corrections_, &trainings_);
  grpc::ServerBuilder builder;
  builder.RegisterService(&guarded);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  const auto stub = v1::DigitService::NewStub(server->InProcessChannel({}));
  grpc::ClientContext submit, list, review, ask;
  v1::SubmitFeedbackResponse submitted;
  v1::ListFeedbackResponse listed;
  v1::ReviewFeedbackResponse reviewed;
  v1::GetModelStatsResponse stats;
  EXPECT_TRUE(stub->SubmitFeedback(&submit, Say(7, "7"), &submitted).ok());
  EXPECT_EQ(stub->ListFeedback(&list, {}, &listed).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(stub->ReviewFeedback(&review, {}, &reviewed).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_TRUE(stub->GetModelStats(&ask, {}, &stats).ok());
  server->Shutdown();
}

TEST_F(FeedbackCallsTest, UnansweredPicturesAreBoundedInBytesWithThoseOfRecognize) {
  v1::SubmitFeedbackRequest request = Say(7, "7");
  request.mutable_image()->set_encoded(std::string(kMaxCallBytes, 'x'));
  ExpectRefused(request, grpc::StatusCode::INVALID_ARGUMENT, "");  // one alone passes, and is no picture
  engines_.control().Hold(true);
  v1::RecognizeRequest held;
  held.set_packed_pixels(Raw(1));
  grpc::ClientContext context;
  v1::RecognizeResponse response;
  std::promise<grpc::Status> done;
  stub_->async()->Recognize(&context, &held, &response, [&](grpc::Status status) { done.set_value(status); });
  engines_.control().WaitUntilHeld(1);
  ExpectRefused(request, grpc::StatusCode::RESOURCE_EXHAUSTED, "exceed the limit of 200000");
  engines_.control().Hold(false);
  EXPECT_TRUE(done.get_future().get().ok());
  Submitted(Say(7, "7"));
}

TEST_F(FeedbackCallsTest, StatisticsTellAnswersAndCorrections) {
  for (int i = 0; i < 3; ++i) {
    grpc::ClientContext context;
    v1::RecognizeRequest request;
    request.set_packed_pixels(Raw(1) + Raw(4));
    v1::RecognizeResponse response;
    ASSERT_TRUE(stub_->Recognize(&context, request, &response).ok());
  }
  Submitted(Say(7, "7"));
  Submitted(Say(1, "1"));
  grpc::ClientContext context;
  v1::GetModelStatsResponse stats;
  ASSERT_TRUE(stub_->GetModelStats(&context, {}, &stats).ok());
  EXPECT_EQ(stats.model(), "fake");
  EXPECT_EQ(stats.corrections_error(), "");
  ASSERT_EQ(stats.versions_size(), 1);
  const v1::VersionStats& version = stats.versions(0);
  EXPECT_EQ(version.labels_size(), 10);
  EXPECT_EQ(version.answers().images(), 6);
  EXPECT_EQ(version.answers().classes_size(), 11);
  EXPECT_EQ(version.answers().classes(4), 3);
  EXPECT_GT(version.answers().mean_confidence(), 0.9);
  EXPECT_FALSE(version.has_reference());
  EXPECT_FALSE(version.has_latest());
  EXPECT_EQ(version.corrections(), 2);
  EXPECT_EQ(version.confirmed(), 1);
  EXPECT_EQ(version.confusion(7 * 11 + 1), 1);
}

TEST(HostOfPeerTest, LeavesOutThePort) {
  EXPECT_EQ(HostOfPeer("ipv4:10.0.0.7:4711"), "10.0.0.7");
  EXPECT_EQ(HostOfPeer("ipv6:%5B::1%5D:4711"), "::1");
  EXPECT_EQ(HostOfPeer("ipv6:[fe80::1%25eth0]:4711"), "fe80::1%eth0");
  EXPECT_EQ(HostOfPeer("unix:/run/digitd"), "unix:/run/digitd");
}

}  // namespace
}  // namespace digit
