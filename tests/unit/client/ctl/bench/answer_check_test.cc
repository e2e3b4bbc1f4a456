#include "client/ctl/bench/answer_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/client/ctl/bench/load_fixture.h"
#include "tests/unit/client/lib/fake_digit_service.h"

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class AnswerCheckTest : public ::testing::Test {
 protected:
  // Message 1 holds pictures 4 to 7.
  const MessageSet messages_{PlainPictures(8), OptionsOf(BenchMode::kPacked, 4), "", "", absl::Seconds(1)};
  const AnswerCheck check_ = CheckOf(8);

  v1::RecognizeResponse RightAnswer() const {
    v1::RecognizeResponse response;
    for (int i = 4; i < 8; ++i) *response.add_results()->mutable_prediction() = PredictionOf(i);
    return response;
  }
};

TEST_F(AnswerCheckTest, WhatTheServerSaysAloneIsRight) {
  const CheckedAnswer checked = check_.Check(messages_, 1, RightAnswer());
  EXPECT_EQ(checked.code, 0);
  EXPECT_FALSE(checked.wrong);
  EXPECT_EQ(checked.labelled, 4);
  EXPECT_EQ(checked.right, 4);
}

TEST_F(AnswerCheckTest, SwappedAnswersAreWrongAndNamed) {
  v1::RecognizeResponse response = RightAnswer();
  response.mutable_results()->SwapElements(1, 2);
  const CheckedAnswer checked = check_.Check(messages_, 1, response);
  EXPECT_TRUE(checked.wrong);
  EXPECT_THAT(checked.message, HasSubstr("picture 5: '6' under load, '5' alone"));
  EXPECT_EQ(checked.right, 2);
}

TEST_F(AnswerCheckTest, TheAnswerToAnotherMessageIsWrong) {
  EXPECT_TRUE(check_.Check(messages_, 0, RightAnswer()).wrong);
}

TEST_F(AnswerCheckTest, AVersionThatWentLiveMeanwhileMustGiveTheSameLabels) {
  const AnswerCheck check = CheckOf(8, "1");
  v1::RecognizeResponse response = RightAnswer();
  response.mutable_results(0)->mutable_prediction()->mutable_probabilities()->Set(0, 0.5f);
  response.set_version("1");
  EXPECT_TRUE(check.Check(messages_, 1, response).wrong);
  response.set_version("2");
  EXPECT_FALSE(check.Check(messages_, 1, response).wrong);
  response.mutable_results()->SwapElements(1, 2);
  EXPECT_TRUE(check.Check(messages_, 1, response).wrong);
}

TEST_F(AnswerCheckTest, TheSameLabelWithOtherProbabilitiesIsWrongBeyondRounding) {
  v1::RecognizeResponse response = RightAnswer();
  auto* probabilities = response.mutable_results(0)->mutable_prediction()->mutable_probabilities();
  probabilities->Set(0, 0.01f + kProbabilityTolerance / 2);
  EXPECT_FALSE(check_.Check(messages_, 1, response).wrong);
  probabilities->Set(0, 0.01f + kProbabilityTolerance * 2);
  EXPECT_TRUE(check_.Check(messages_, 1, response).wrong);
  probabilities->Set(0, std::numeric_limits<float>::quiet_NaN());
  EXPECT_TRUE(check_.Check(messages_, 1, response).wrong);
  probabilities->RemoveLast();
  EXPECT_TRUE(check_.Check(messages_, 1, response).wrong);
}

TEST_F(AnswerCheckTest, MissingResultsAreWrong) {
  v1::RecognizeResponse response = RightAnswer();
  response.mutable_results()->RemoveLast();
  const CheckedAnswer checked = check_.Check(messages_, 1, response);
  EXPECT_TRUE(checked.wrong);
  EXPECT_EQ(checked.message, "3 results for 4 pictures");
}

TEST_F(AnswerCheckTest, AnErrorOfOnePictureIsAnErrorOfTheRequest) {
  v1::RecognizeResponse response = RightAnswer();
  response.mutable_results(3)->mutable_error()->set_code(8);
  response.mutable_results(3)->mutable_error()->set_message("full");
  CheckedAnswer checked = check_.Check(messages_, 1, response);
  EXPECT_EQ(checked.code, 8);
  EXPECT_EQ(checked.message, "full");
  EXPECT_EQ(checked.labelled, 0);
  response.mutable_results(3)->Clear();  // neither prediction nor error
  EXPECT_EQ(check_.Check(messages_, 1, response).code, 2);
}

class AskTest : public ::testing::Test {
 protected:
  AskTest() {
    server_.recognize = [](grpc::ServerContext*, const v1::RecognizeRequest& request, v1::RecognizeResponse* response) {
      if (request.model() == "nope") return grpc::Status(grpc::StatusCode::NOT_FOUND, "no model 'nope'");
      EXPECT_EQ(request.images_size(), 1);
      if (request.images(0).pixels()[0] == 0) {
        response->add_results()->mutable_error()->set_message("blank");
      } else {
        *response = AnswerTo(request);
      }
      return grpc::Status::OK;
    };
    client_ = *Client::Create({.server = server_.address()});
  }

  FakeServer server_;
  std::unique_ptr<Client> client_;
  std::atomic<bool> stop_ = false;
  std::vector<std::string> left_out_;
};

TEST_F(AskTest, AsksForEachPictureAloneAndLeavesOutWhatHasNoAnswer) {
  BenchPictures pictures = PlainPictures(3);
  pictures.pictures[2].label = 7;  // it shows a 2
  const std::vector<std::string> labels = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
  const auto check = AnswerCheck::Ask(client_.get(), "m", "v", labels, &pictures, stop_, &left_out_);
  ASSERT_TRUE(check.ok()) << check.status();
  EXPECT_EQ(server_.calls, 3);
  EXPECT_THAT(left_out_, ElementsAre("picture 0: blank"));
  ASSERT_EQ(pictures.pictures.size(), 2u);
  EXPECT_EQ(pictures.pictures[0].name, "picture 1");
  const MessageSet messages(pictures, OptionsOf(BenchMode::kUnary, 1), "", "", absl::Seconds(1));
  v1::RecognizeResponse response;
  *response.add_results()->mutable_prediction() = PredictionOf(2);
  const CheckedAnswer checked = check->Check(messages, 1, response);
  EXPECT_FALSE(checked.wrong);
  EXPECT_EQ(checked.labelled, 1);
  EXPECT_EQ(checked.right, 0);
}

TEST_F(AskTest, NothingToSendAndRefusalsAreErrors) {
  BenchPictures blank = PlainPictures(1);
  EXPECT_EQ(AnswerCheck::Ask(client_.get(), "m", "v", {}, &blank, stop_, &left_out_).status().code(),
            absl::StatusCode::kInvalidArgument);
  BenchPictures pictures = PlainPictures(2);
  EXPECT_EQ(AnswerCheck::Ask(client_.get(), "nope", "v", {}, &pictures, stop_, &left_out_).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(AskTest, EndsWhenToldTo) {
  BenchPictures pictures = PlainPictures(3);
  stop_ = true;
  EXPECT_EQ(AnswerCheck::Ask(client_.get(), "m", "v", {}, &pictures, stop_, &left_out_).status().code(),
            absl::StatusCode::kCancelled);
  EXPECT_EQ(server_.calls, 0);
}

}  // namespace
}  // namespace digit
