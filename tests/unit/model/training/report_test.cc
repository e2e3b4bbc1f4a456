#include "model/training/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/dataset/digit_generator.h"
#include "model/training/report_chart.h"

namespace digit {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ReportTest : public testing::Test {
 protected:
  ReportTest() {
    spec_.accuracy.push_back({"mnist/test", 0.9955, 10000});
    spec_.recipe = "a <recipe> & more";
    spec_.labels[4] = "T-shirt\"<script>";
    evaluation_.images = 10;
    evaluation_.right = 9;
    evaluation_.confusion[4][9] = 1;
    evaluation_.mistakes.push_back({3, 4, 9, 0.875});
    history_ = {{0.8, 0.8, 0.2, 0.95, 4.0}, {0.3, 0.97, 0.05, 0.99, 4.0}};
  }
  std::string Report() const { return FormatReport({spec_, history_, evaluation_, images_}); }

  ModelSpec spec_ = DefaultSpec(10);
  std::vector<EpochRecord> history_;
  Evaluation evaluation_;
  const LabeledImages images_ = DigitGenerator(1).DrawMany(10);
};

TEST_F(ReportTest, ShowsAccuracyCurvesMatrixAndMistakes) {
  EXPECT_THAT(Report(), AllOf(HasSubstr("99.55 %"), HasSubstr("<polyline"), HasSubstr("Confusion matrix"),
                              HasSubstr("87.5 % sure"), HasSubstr("data:image/bmp;base64,Qk")));
}

TEST_F(ReportTest, NeedsNothingFromOutside) {
  EXPECT_THAT(Report(), AllOf(Not(HasSubstr("http")), Not(HasSubstr("<script")), Not(HasSubstr("url("))));
}

TEST_F(ReportTest, EscapesTextFromOutside) {
  EXPECT_THAT(Report(), AllOf(HasSubstr("a &lt;recipe&gt; &amp; more"), HasSubstr("T-shirt&quot;&lt;script&gt;")));
}

TEST_F(ReportTest, ShowsTheFirstThirtySixOfManyMistakes) {
  evaluation_.mistakes.assign(50, {3, 4, 9, 0.5});
  EXPECT_THAT(Report(), HasSubstr("36 of 50, the most confident first"));
}

TEST(ChartTest, OneEpochAndZerosAreDrawnWithoutNonsense) {
  const std::string svg = FormatChart({0.0}, {0.0}, "x");
  EXPECT_THAT(svg, AllOf(Not(HasSubstr("nan")), Not(HasSubstr("inf")), HasSubstr("<circle")));
}

TEST(ChartTest, LowerValuesLieLower) {
  const std::string svg = FormatChart({10, 1}, {10, 1}, "x");
  const size_t at = svg.find("points=\"");
  ASSERT_NE(at, std::string::npos);
  double x0, y0, x1, y1;
  ASSERT_EQ(std::sscanf(svg.c_str() + at, "points=\"%lf,%lf %lf,%lf", &x0, &y0, &x1, &y1), 4);
  EXPECT_LT(x0, x1);
  EXPECT_LT(y0, y1);  // SVG counts downwards
}

TEST(BitmapTest, HoldsTheRowsFromTheBottomUp) {
  std::vector<uint8_t> pixels(kImagePixels);
  pixels[0] = 7;                 // top left
  pixels[kImagePixels - 1] = 9;  // bottom right
  const std::string bitmap = FormatBitmap(pixels);
  ASSERT_EQ(bitmap.size(), 14u + 40 + 1024 + kImagePixels);
  EXPECT_EQ(bitmap.substr(0, 2), "BM");
  EXPECT_EQ(bitmap[1078 + kImageSide - 1], 9);
  EXPECT_EQ(bitmap[1078 + (kImageSide - 1) * kImageSide], 7);
}

}  // namespace
}  // namespace digit
