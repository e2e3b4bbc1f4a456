#include "daemon/training/training_job.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

TEST(TrainingJobTest, IsReadBackAsItWasWritten) {
  TrainingJob job;
  job.id = "20261125-093012-1";
  job.state = TrainingJobState::kDone;
  job.request = {.model = "mnist",
                 .fine_tune = true,
                 .data_set = "mnist",
                 .corrections = true,
                 .epochs = 3,
                 .seed = uint64_t{1} << 62,
                 .promote = Promote::kAlways,
                 .detached = true};
  job.started = {.kind = TrainingEvent::Kind::kStarted, .version = "0.1.0", .epochs = 3, .steps = 10, .images = 1000};
  job.epochs = {{.kind = TrainingEvent::Kind::kEpoch, .epoch = 1, .loss = 0.5, .accuracy = 0.75}};
  job.version = "2026";
  job.promoted = true;
  job.gate = "better";
  job.error = "none \"at\" all";
  job.created = absl::FromUnixSeconds(1'000'000'000) + absl::Nanoseconds(7);
  job.ended = job.created + absl::Hours(1);
  const std::string text = FormatTrainingJob(job);
  const auto read = ParseTrainingJob(text, "job.json");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(FormatTrainingJob(*read), text);
  EXPECT_EQ(read->request.seed, job.request.seed);
  EXPECT_EQ(read->began, absl::InfinitePast());
  EXPECT_EQ(read->ended, job.ended);
  EXPECT_EQ(read->epochs.at(0).accuracy, 0.75);
}

TEST(TrainingJobTest, ADamagedFileIsSaidByItsName) {
  const std::string sound = FormatTrainingJob(TrainingJob());
  for (const std::string& text : {std::string(), std::string("{}"), sound.substr(0, sound.size() / 2)}) {
    EXPECT_THAT(std::string(ParseTrainingJob(text, "'x/job.json'").status().message()), HasSubstr("'x/job.json'"));
  }
}

}  // namespace
}  // namespace digit
