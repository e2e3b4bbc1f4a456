#include "model/spec/training_events.h"

#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::HasSubstr;
using Kind = TrainingEvent::Kind;

TEST(TrainingEventsTest, EveryKindIsReadBackAsItWasWritten) {
  const TrainingEvent events[] = {
      {.kind = Kind::kStarted, .version = "0.1.0", .epochs = 5, .steps = 443, .images = 55'000},
      {.kind = Kind::kProgress,
       .epoch = 2,
       .step = 40,
       .loss = 0.25,
       .images_per_second = 14'000,
       .seconds_left = 17.5},
      {.kind = Kind::kEpoch, .epoch = 5, .loss = 0.125, .accuracy = 0.9952},
      {.kind = Kind::kDone, .images = 5000, .accuracy = 1},
  };
  for (const TrainingEvent& event : events) {
    const std::string line = FormatTrainingEvent(event);
    EXPECT_EQ(line.find('\n'), std::string::npos);
    const auto read = ParseTrainingEvent(line);
    ASSERT_TRUE(read.ok()) << line << ": " << read.status();
    EXPECT_EQ(FormatTrainingEvent(*read), line);
    EXPECT_EQ(read->kind, event.kind);
    EXPECT_EQ(read->accuracy, event.accuracy);
    EXPECT_EQ(read->seconds_left, event.seconds_left);
    EXPECT_EQ(read->images, event.images);
  }
}

TEST(TrainingEventsTest, WhatLaterVersionsAddIsNoError) {
  EXPECT_EQ(ParseTrainingEvent(R"({"event": "tea break", "minutes": 5})")->kind, Kind::kUnknown);
  EXPECT_EQ(ParseTrainingEvent(R"({"event": "done", "images": 1, "accuracy": 1, "mood": "good"})")->kind, Kind::kDone);
}

TEST(TrainingEventsTest, WhatIsNoEventSaysWhy) {
  for (const auto& [line, why] : std::vector<std::pair<std::string, std::string>>{
           {"", "not valid JSON"},
           {"[]", "'event'"},
           {R"({"epoch": 1})", "'event'"},
           {R"({"event": 7})", "'event'"},
           {R"({"event": "done", "images": 1})", "'accuracy'"},
           {R"({"event": "done", "images": "1", "accuracy": 1})", "'images'"},
           {R"({"event": "done", "images": -1, "accuracy": 1})", "'images'"},
           {R"({"event": "epoch", "epoch": 99999999999, "loss": 1, "accuracy": 1})", "'epoch'"}}) {
    EXPECT_THAT(std::string(ParseTrainingEvent(line).status().message()), HasSubstr(why)) << line;
  }
}

TEST(TrainingEventsTest, ALossThatIsNotFiniteMakesNoBrokenLine) {
  EXPECT_TRUE(
      ParseTrainingEvent(
          FormatTrainingEvent({.kind = Kind::kEpoch, .epoch = 1, .loss = std::numeric_limits<double>::quiet_NaN()}))
          .ok());
}

}  // namespace
}  // namespace digit
