#include "model/training/trainer.h"

#include <algorithm>
#include <barrier>
#include <cmath>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/threads.h"
#include "model/training/augmentation.h"
#include "model/training/dense_kernels.h"

namespace digit {
namespace {

// Of RandomStream; epochs take the numbers from 0 on.
constexpr uint64_t kInitialStream = uint64_t{1} << 32;

// Everything that the threads of one epoch share. Between two barriers each thread writes only its own part.
class Epoch {
 public:
  Epoch(const Recipe& recipe, const LabeledImages& images, absl::Span<const uint8_t> non_digits, int threads,
        TrainingState* state)
      : recipe_(recipe),
        images_(images),
        non_digits_(non_digits),
        threads_(threads),
        shards_(recipe.batch_images / kShardImages),
        steps_per_epoch_(StepsPerEpoch(recipe, images.size())),
        epoch_(state->step / steps_per_epoch_),
        plan_(recipe, images.size(), static_cast<int>(non_digits.size() / kImagePixels), epoch_),
        work_(threads),
        gradients_(static_cast<size_t>(shards_) * kParameters),
        results_(shards_),
        barrier_(threads),
        state_(state) {
    packed_.Pack(state->weight, 0, 1);
  }

  // The body of thread `thread`; thread 0 is the caller's.
  void Run(int thread, const std::function<bool(int64_t)>& before_step) {
    while (true) {
      if (thread == 0) {
        go_on_ = state_->step < (epoch_ + 1) * steps_per_epoch_ && before_step(state_->step);
      }
      barrier_.arrive_and_wait();
      if (!go_on_) return;
      for (int shard = thread; shard < shards_; shard += threads_) ComputeShard(shard, &work_[thread]);
      barrier_.arrive_and_wait();
      Update(thread);
      barrier_.arrive_and_wait();
      packed_.Pack(state_->weight, thread, threads_);
      if (thread == 0) Account();
    }
  }

 private:
  void ComputeShard(int shard, ShardWorkspace* work) {
    for (int i = 0; i < kShardImages; ++i) {
      const PlannedPicture planned = plan_.At(state_->step % steps_per_epoch_, shard * kShardImages + i);
      work->labels[i] = planned.is_non_digit ? kNoDigit : images_.labels[planned.index];
      Augment(recipe_.augmentation,
              planned.is_non_digit ? non_digits_.subspan(size_t{planned.index} * kImagePixels, kImagePixels)
                                   : images_.image(static_cast<int>(planned.index)),
              planned.random, &work->input[i * kInputSize]);
    }
    Forward(state_->weight, packed_, kShardImages, work);
    results_[shard] = Backward(
        state_->weight, packed_, kShardImages, recipe_.label_smoothing, 1.0f / static_cast<float>(recipe_.batch_images),
        work, absl::MakeSpan(gradients_).subspan(static_cast<size_t>(shard) * kParameters, kParameters));
  }

  void Update(int thread) {
    const AdamStep adam = AdamStepAt(recipe_, state_->step, steps_per_epoch_ * recipe_.epochs);
    constexpr int kGroup = 16;  // parts are cut at whole cache lines
    constexpr int kGroups = kParameters / kGroup;
    static_assert(kParameters % 8 == 0);
    const int first = kGroups * thread / threads_ * kGroup;
    const int last = thread == threads_ - 1 ? kParameters : kGroups * (thread + 1) / threads_ * kGroup;
    UpdateWeights(adam, last - first, shards_, &gradients_[first], kParameters, &state_->weight[first],
                  &state_->momentum[first], &state_->variance[first], &state_->average[first]);
  }

  void Account() {
    for (const ShardResult& result : results_) {
      state_->loss_sum += result.loss;
      state_->right += result.right;
    }
    ++state_->step;
  }

  const Recipe& recipe_;
  const LabeledImages& images_;
  const absl::Span<const uint8_t> non_digits_;
  const int threads_, shards_;
  const int64_t steps_per_epoch_, epoch_;
  const EpochPlan plan_;
  std::vector<ShardWorkspace> work_;
  std::vector<float> gradients_;
  std::vector<ShardResult> results_;
  PackedWeights packed_;
  std::barrier<> barrier_;
  bool go_on_ = true;  // written by thread 0 before a barrier
  TrainingState* const state_;
};

}  // namespace

TrainingState InitialState(int64_t seed) {
  DigitCnnWeights weights;
  constexpr std::array<int, 8> kInputs = {9, 9, kPatch, kPatch, kPool2Size, kPool2Size, kHidden, kHidden};
  for (int which = 0; which < 8; ++which) {
    RandomStream random(static_cast<uint64_t>(seed), kInitialStream, static_cast<uint64_t>(which));
    const float bound = 1.0f / std::sqrt(static_cast<float>(kInputs[which]));
    weights[which].resize(kDigitCnnParameters[which].size);
    for (float& value : weights[which]) value = random.Uniform(-bound, bound);
  }
  TrainingState state;
  state.weight = FromNetwork(weights);
  state.average = state.weight;
  state.momentum.resize(kParameters);
  state.variance.resize(kParameters);
  return state;
}

void RunEpoch(const Recipe& recipe, const LabeledImages& images, absl::Span<const uint8_t> non_digits, int threads,
              const std::function<bool(int64_t)>& before_step, TrainingState* state) {
  DIGIT_CHECK(images.size() >= recipe.batch_images - recipe.non_digits && threads >= 1);
  DIGIT_CHECK(recipe.non_digits == 0 || non_digits.size() >= kImagePixels);
  Epoch epoch(recipe, images, non_digits, threads, state);
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) {
    others.push_back(StartThread(absl::StrCat("train-", i), [&epoch, i] { epoch.Run(i, nullptr); }));
  }
  epoch.Run(0, before_step);
  for (std::thread& thread : others) thread.join();
}

}  // namespace digit
