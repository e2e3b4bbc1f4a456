#include "model/dataset/digit_generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <string>

#include "base/sha256.h"

namespace digit {
namespace {

using Pixels = DigitGenerator::Pixels;

std::string Digest(const std::vector<uint8_t>& bytes) {
  return Sha256Hex(absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

struct Ink {
  double sum = 0, x = 0, y = 0;  // total, centre of mass in pixel indices
};

Ink Measure(const Pixels& pixels) {
  Ink ink;
  for (int i = 0; i < kImagePixels; ++i) {
    ink.sum += pixels[i];
    ink.x += static_cast<double>(pixels[i]) * (i % kImageSide);
    ink.y += static_cast<double>(pixels[i]) * (i / kImageSide);
  }
  ink.x /= ink.sum;
  ink.y /= ink.sum;
  return ink;
}

// The promise of the header: these digests hold for every compiler, option and machine. They change only when the
// drawing is changed on purpose; then the reference inputs of newly written models change too, old files stay valid.
TEST(DigitGeneratorTest, DrawsTheSameBytesEverywhere) {
  EXPECT_EQ(Digest(DigitGenerator(1).DrawMany(100).pixels),
            "e18f285a755105e7d08c4c6290f931a12ba8e84e0e3f427dddda13c42a6f11b9");
  DigitGenerator generator(1);
  std::vector<uint8_t> others;
  for (int i = 0; i < 200; ++i) {
    const Pixels pixels = generator.DrawNonDigit();
    others.insert(others.end(), pixels.begin(), pixels.end());
  }
  EXPECT_EQ(Digest(others), "61583485c1c6a3ca62538b93b635692166b9639835b33864e7bf859671d84a38");
}

TEST(DigitGeneratorTest, OtherSeedsDrawOtherDigits) {
  EXPECT_NE(DigitGenerator(1).Draw(3), DigitGenerator(2).Draw(3));
  DigitGenerator generator(1);
  std::set<Pixels> distinct;
  for (int i = 0; i < 200; ++i) distinct.insert(generator.Draw(1));
  EXPECT_EQ(distinct.size(), size_t{200});
}

TEST(DigitGeneratorTest, LabelsRunFromZeroToNine) {
  const LabeledImages set = DigitGenerator(7).DrawMany(23);
  ASSERT_EQ(set.size(), 23);
  EXPECT_EQ(set.pixels.size(), size_t{23 * kImagePixels});
  for (int i = 0; i < 23; ++i) EXPECT_EQ(set.labels[i], i % 10);
  EXPECT_EQ(DigitGenerator(7).DrawMany(0).size(), 0);
}

// Every image of MNIST has its centre of mass at 13.5..14.5, grey up to 255 and its ink in 20x20 pixels.
TEST(DigitGeneratorTest, DigitsAreFramedAsMnistIs) {
  DigitGenerator generator(11);
  for (int i = 0; i < 1000; ++i) {
    const Pixels pixels = generator.Draw(i % 10);
    const Ink ink = Measure(pixels);
    EXPECT_NEAR(ink.x, 14, 0.55) << i;
    EXPECT_NEAR(ink.y, 14, 0.55) << i;
    EXPECT_EQ(*std::max_element(pixels.begin(), pixels.end()), 255) << i;
    int rows = 0, columns = 0;
    for (int k = 0; k < kImageSide; ++k) {
      int row = 0, column = 0;
      for (int j = 0; j < kImageSide; ++j) row += pixels[k * kImageSide + j], column += pixels[j * kImageSide + k];
      rows += row > 0;
      columns += column > 0;
    }
    EXPECT_LE(rows, 20) << i;
    EXPECT_LE(columns, 20) << i;
    EXPECT_GE(std::max(rows, columns), 18) << i;
  }
}

// MNIST's test images have a mean grey of 0.03 to 0.30.
TEST(DigitGeneratorTest, DigitsHaveAsMuchInkAsMnist) {
  DigitGenerator generator(5);
  double total = 0;
  for (int i = 0; i < 1000; ++i) {
    const double grey = Measure(generator.Draw(i % 10)).sum / (255.0 * kImagePixels);
    EXPECT_GT(grey, 0.02);
    EXPECT_LT(grey, 0.32);
    total += grey;
  }
  EXPECT_NEAR(total / 1000, 0.13, 0.02);  // MNIST: 0.131
}

// A stand-in for looking at them: the mean picture of each digit, from one seed, names digits of another seed.
TEST(DigitGeneratorTest, DigitsOfAClassResembleEachOther) {
  const LabeledImages examples = DigitGenerator(1).DrawMany(2000), probes = DigitGenerator(2).DrawMany(500);
  std::vector<std::vector<double>> means(10, std::vector<double>(kImagePixels));
  for (int i = 0; i < examples.size(); ++i) {
    for (int p = 0; p < kImagePixels; ++p) means[examples.labels[i]][p] += examples.image(i)[p] / 200.0;
  }
  int right = 0;
  for (int i = 0; i < probes.size(); ++i) {
    std::vector<double> distances(10);
    for (int digit = 0; digit < 10; ++digit) {
      for (int p = 0; p < kImagePixels; ++p) {
        const double difference = probes.image(i)[p] - means[digit][p];
        distances[digit] += difference * difference;
      }
    }
    right += std::min_element(distances.begin(), distances.end()) - distances.begin() == probes.labels[i];
  }
  EXPECT_GE(right, 425) << "of 500; MNIST itself reaches 82 % with its means";
}

TEST(DigitGeneratorTest, NonDigitsAreVariedAndNeverBlank) {
  DigitGenerator generator(3);
  std::set<Pixels> distinct;
  int mostly_bright = 0, sparse = 0;
  for (int i = 0; i < 1000; ++i) {
    const Pixels pixels = generator.DrawNonDigit();
    const double grey = Measure(pixels).sum / (255.0 * kImagePixels);
    EXPECT_GT(grey, 0.001) << i;
    mostly_bright += grey > 0.5;
    sparse += grey < 0.15;
    distinct.insert(pixels);
  }
  EXPECT_GE(distinct.size(), size_t{900});
  EXPECT_GE(mostly_bright, 100);
  EXPECT_GE(sparse, 100);
}

}  // namespace
}  // namespace digit
