#include "model/training/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kMaxBytes = 1 << 24;

class CheckpointTest : public testing::Test {
 protected:
  CheckpointTest() {
    state_.step = 7;
    state_.loss_sum = 0.1;
    state_.right = 12;
    state_.history.push_back({0.5, 0.9, 0.1, 0.99, 3.5});
    state_.momentum[5] = -1e-30f;
  }
  void SetUp() override { ASSERT_TRUE(SaveCheckpoint(path_, identity_, state_).ok()); }

  const std::string path_ = testing::TempDir() + "/checkpoint_test.checkpoint";
  const RunIdentity identity_ = {"a recipe", 3, "abc"};
  TrainingState state_ = InitialState(3);
};

TEST_F(CheckpointTest, ReturnsEveryBit) {
  const absl::StatusOr<TrainingState> loaded = LoadCheckpoint(path_, identity_);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->weight, state_.weight);
  EXPECT_EQ(loaded->momentum, state_.momentum);
  EXPECT_EQ(loaded->variance, state_.variance);
  EXPECT_EQ(loaded->average, state_.average);
  EXPECT_EQ(loaded->step, 7);
  EXPECT_EQ(loaded->loss_sum, 0.1);
  EXPECT_EQ(loaded->right, 12);
  ASSERT_EQ(loaded->history.size(), 1u);
  EXPECT_EQ(loaded->history[0].validation_accuracy, 0.99);
}

TEST_F(CheckpointTest, OtherSeedIsRefusedAndNamed) {
  RunIdentity other = identity_;
  other.seed = 4;
  const absl::Status status = LoadCheckpoint(path_, other).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("seed 3, now 4"));
}

TEST_F(CheckpointTest, OfTwoRecipesOnlyWhatDiffersIsNamed) {  // a whole one has 600 characters
  RunIdentity was = identity_, other = identity_;
  was.recipe = "2 epochs, AdamW (0.9, 0.99), 4 non-digits (weight 1, logistic), peak 0.005";
  ASSERT_TRUE(SaveCheckpoint(path_, was, state_).ok());
  other.recipe = "1 epochs, AdamW (0.9, 0.98), 4 non-digits (weight 1, logistic), peak 0.005";
  EXPECT_THAT(std::string(LoadCheckpoint(path_, other).status().message()),
              HasSubstr("is of another run: recipe '2 epochs, AdamW (0.9, 0.99)', now '1 epochs, AdamW (0.9, 0.98)';"));
}

TEST_F(CheckpointTest, OtherPicturesAreRefused) {
  RunIdentity other = identity_;
  other.data_digest = "abd";
  EXPECT_THAT(std::string(LoadCheckpoint(path_, other).status().message()), HasSubstr("other training pictures"));
}

TEST_F(CheckpointTest, AnyDamageIsNoticed) {
  const std::string whole = *ReadFile(path_, kMaxBytes);
  std::string flipped = whole;
  flipped[whole.size() / 2] ^= 1;
  for (const std::string& damaged : {flipped, whole.substr(0, whole.size() - 1), std::string("{}\n"), std::string()}) {
    ASSERT_TRUE(WriteFileAtomically(path_, damaged).ok());
    EXPECT_EQ(LoadCheckpoint(path_, identity_).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(CheckpointTest, MissingFileIsNotFound) {
  EXPECT_EQ(LoadCheckpoint(path_ + ".none", identity_).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace digit
