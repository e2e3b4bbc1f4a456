#include "model/training/epoch_plan.h"

#include <cmath>
#include <numeric>
#include <utility>

#include "model/training/digit_cnn_step.h"

namespace digit {
namespace {

// Items of RandomStream; training pictures take the numbers from 0 on.
constexpr uint64_t kShuffleItem = uint64_t{1} << 32;
constexpr uint64_t kNonDigitItem = uint64_t{1} << 33;  // and on: one for each place in the epoch

std::vector<uint32_t> Shuffled(int images, uint64_t seed, uint64_t epoch) {
  std::vector<uint32_t> order(images);
  std::iota(order.begin(), order.end(), 0);
  RandomStream random(seed, epoch, kShuffleItem);
  for (uint32_t i = static_cast<uint32_t>(images) - 1; i > 0; --i) std::swap(order[i], order[random.Below(i + 1)]);
  return order;
}

}  // namespace

EpochPlan::EpochPlan(const Recipe& recipe, int images, int non_digits, int64_t epoch)
    : seed_(static_cast<uint64_t>(recipe.seed)),
      epoch_(static_cast<uint64_t>(epoch)),
      shards_(recipe.batch_images / kShardImages),
      digits_(kShardImages - recipe.non_digits / shards_),
      non_digits_(non_digits),
      order_(Shuffled(images, seed_, epoch_)) {}

PlannedPicture EpochPlan::At(int64_t step, int place) const {
  const int64_t shard = step * shards_ + place / kShardImages;
  const int i = place % kShardImages;
  if (i < digits_) {
    const uint32_t index = order_[shard * digits_ + i];
    return {false, index, RandomStream(seed_, epoch_, index)};
  }
  RandomStream random(seed_, epoch_, kNonDigitItem + static_cast<uint64_t>(shard * kShardImages + i));
  const uint32_t index = random.Below(static_cast<uint32_t>(non_digits_));
  return {true, index, random};
}

int64_t StepsPerEpoch(const Recipe& recipe, int images) { return images / (recipe.batch_images - recipe.non_digits); }

AdamStep AdamStepAt(const Recipe& recipe, int64_t step, int64_t total_steps) {
  const auto t = static_cast<double>(step + 1);
  AdamStep adam;
  adam.learning_rate = LearningRate(recipe, step, total_steps);
  adam.beta1 = recipe.beta1;
  adam.beta2 = recipe.beta2;
  adam.weight_decay = recipe.weight_decay;
  adam.correction1 = static_cast<float>(1 - std::pow(double{recipe.beta1}, t));
  adam.correction2 = static_cast<float>(1 - std::pow(double{recipe.beta2}, t));
  adam.average_rate = AverageRate(recipe, step);
  return adam;
}

}  // namespace digit
