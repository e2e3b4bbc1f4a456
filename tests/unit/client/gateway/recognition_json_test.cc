#include "client/gateway/api/recognition_json.h"

#include <cmath>

#include "base/json.h"
#include "client/gateway/api/server_timing.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

v1::RecognizeResponse Response() {
  v1::RecognizeResponse response;
  response.set_model("mnist");
  response.set_version("3");
  v1::Prediction* prediction = response.add_results()->mutable_prediction();
  prediction->set_label("7");
  prediction->set_confidence(0.75F);
  for (const float p : {0.25F, 0.75F}) prediction->add_probabilities(p);
  prediction->set_verdict(v1::VERDICT_UNSURE);
  v1::ImageError* error = response.add_results()->mutable_error();
  error->set_code(3);
  error->set_reason(v1::ERROR_REASON_NO_DIGIT);
  error->set_message("blank");
  return response;
}

TEST(RecognitionJsonTest, OneResult) {
  v1::RecognizeResponse response = Response();
  response.mutable_results(0)->set_pixels("abc");
  response.mutable_timing()->set_decode_micros(5);
  response.mutable_timing()->set_executor("cpu:0");
  const json::value value = *ParseJson(OneResultJson(response), "answer");
  EXPECT_EQ(value, *ParseJson(R"({"label":"7","confidence":0.75,"probabilities":[0.25,0.75],"verdict":"unsure",
      "pixels":"YWJj","model":"mnist","version":"3","timing":{"decode_us":5,"queue_us":0,"compute_us":0,"batch_size":0,
      "executor":"cpu:0","engine":"","device":""}})",
                              "expected"));
}

TEST(RecognitionJsonTest, SeveralResultsWithAnError) {
  const json::value value = *ParseJson(ManyResultsJson(Response()), "answer");
  EXPECT_EQ(value.at("model").as_string(), "mnist");
  EXPECT_EQ(value.at("results").at(0).at("label").as_string(), "7");
  EXPECT_EQ(value.at("results").at(1).at("error").at("status").as_int64(), 422);
  EXPECT_EQ(value.at("results").at(1).at("error").at("reason").as_string(), "no_digit");
  EXPECT_EQ(PlainText(Response()), "7\n? blank\n");
}

TEST(RecognitionJsonTest, AnswersThatAreNoneAreFound) {
  EXPECT_TRUE(CheckResults(Response(), 2).ok());
  EXPECT_EQ(CheckResults(Response(), 3).code(), absl::StatusCode::kInternal);
  v1::RecognizeResponse empty = Response(), infinite = Response();
  empty.mutable_results(1)->clear_error();
  infinite.mutable_results(0)->mutable_prediction()->set_probabilities(1, std::nanf(""));
  EXPECT_EQ(CheckResults(empty, 2).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(CheckResults(infinite, 2).code(), absl::StatusCode::kInternal);
}

TEST(RecognitionJsonTest, TheTutorialsForm) {
  const v1::RecognizeResponse response = Response();
  EXPECT_EQ(*ParseJson(TutorialJson(response.results(0)), "answer"),
            *ParseJson(R"({"digit":7,"confidence":0.75,"probabilities":[0.25,0.75]})", "expected"));
  v1::Result shirt = response.results(0);
  shirt.mutable_prediction()->set_label("T-shirt \"a\"");
  EXPECT_EQ(ParseJson(TutorialJson(shirt), "answer")->at("digit").as_string(), "T-shirt \"a\"");
  shirt.mutable_prediction()->set_label("07");
  EXPECT_TRUE(ParseJson(TutorialJson(shirt), "answer")->at("digit").is_string());
  EXPECT_EQ(ParseJson(TutorialJson(response), "answer")->at(1).at("error").as_string(), "blank");
}

TEST(ServerTimingTest, IsInMilliseconds) {
  EXPECT_EQ(ServerTiming(absl::Microseconds(1500), "decode=0us queue=12us compute=1.5ms batch=3 model=a/b"),
            "total;dur=1.5, decode;dur=0, queue;dur=0.012, compute;dur=1.5");
  EXPECT_EQ(ServerTiming(absl::Milliseconds(2), ""), "total;dur=2");
  EXPECT_EQ(ServerTiming(absl::Milliseconds(2), "queue=x compute"), "total;dur=2");
}

}  // namespace
}  // namespace digit
