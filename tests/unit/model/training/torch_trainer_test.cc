#include "model/training/torch_trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "model/dataset/digit_generator.h"
#include "model/training/augmentation.h"
#include "model/training/evaluation.h"
#include "model/training/torch_step.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

[[maybe_unused]] bool GoOn(int64_t) { return true; }

TEST(X, Y) {
  const LabeledImages images = DigitGenerator(3).DrawMany(2000);
  const std::vector<uint8_t> non_digits = DigitGenerator(4).DrawManyNonDigits(100);
  Recipe recipe;
  recipe.epochs = 2;
  recipe.batch_images = 64;
  TrainingState a = InitialState(1), b = InitialState(1);
  auto trainer = TorchTrainer::Create(Device{}, recipe, images, non_digits);
  ASSERT_TRUE(trainer.ok()) << trainer.status();
  const char* names[] = {"weight", "momentum", "variance", "average"};
  for (int n : {1, 2, 3, 5, 10, 20, 35, 60}) {
    auto until = [n](int64_t s) { return s < n; };
    while (a.step < n) RunEpoch(recipe, images, non_digits, 2, until, &a);
    while (b.step < n) {
      auto s = (*trainer)->RunEpoch(until, &b);
      ASSERT_TRUE(s.ok()) << s;
    }
    printf("step %d %d loss %.9g %.9g right %d %d\n", (int)a.step, (int)b.step, a.loss_sum, b.loss_sum, (int)a.right, (int)b.right);
    const FlatParameters* as[] = {&a.weight, &a.momentum, &a.variance, &a.average};
    const FlatParameters* bs[] = {&b.weight, &b.momentum, &b.variance, &b.average};
    for (int w = 0; w < 4; ++w) {
      double max = 0, sum = 0, sq = 0, top = 0;
      for (int i = 0; i < kParameters; ++i) {
        double d = std::abs((*as[w])[i] - (*bs[w])[i]);
        max = std::max(max, d);
        sum += d * d;
        sq += double((*as[w])[i]) * (*as[w])[i];
        top = std::max<double>(top, std::abs((*as[w])[i]));
      }
      printf("  %s: largest %.3g of %.3g, rms ratio %.3g\n", names[w], max, top, std::sqrt(sum / sq));
    }
  }
}

}  // namespace
}  // namespace digit
