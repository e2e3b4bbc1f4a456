#include "model/image/area_scale.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;

TEST(ScaleByAreaTest, GivesTheSourceBackAtStepOne) {
  const GreyPicture source{2, 2, {10, 20, 30, 40}};
  EXPECT_THAT(ScaleByArea(source, {0, 0, 2, 2}, {0, 1}, 2, {0, 1}, 2), ElementsAre(10, 20, 30, 40));
}

TEST(ScaleByAreaTest, WeighsPartsOfPixelsByTheirArea) {
  const GreyPicture source{3, 1, {30, 60, 90}};  // output pixels of one and a half source pixels
  EXPECT_THAT(ScaleByArea(source, {0, 0, 3, 1}, {0, 1.5}, 2, {0, 1}, 1),
              ElementsAre(FloatNear(40, 1e-4), FloatNear(80, 1e-4)));
}

TEST(ScaleByAreaTest, RepeatsPixelsWhenItEnlarges) {
  const GreyPicture source{2, 1, {10, 20}};
  EXPECT_THAT(ScaleByArea(source, {0, 0, 2, 1}, {0, 0.5}, 4, {0, 1}, 1), ElementsAre(10, 10, 20, 20));
}

TEST(ScaleByAreaTest, CountsWhatLiesOutsideTheBoxAsZero) {
  const GreyPicture source{3, 1, {100, 100, 100}};
  EXPECT_THAT(ScaleByArea(source, {1, 0, 1, 1}, {-1, 2}, 3, {0, 1}, 1), ElementsAre(0, 50, 0));
}

}  // namespace
}  // namespace digit
