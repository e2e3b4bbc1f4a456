#include "model/dataset/idx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/file.h"
#include "tests/unit/model/dataset/idx_files.h"

namespace digit {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<LabeledImages> Parse(const std::string& images, const std::string& labels) {
  return ParseIdx(images, "the-images", labels, "the-labels");
}

std::string ErrorOf(const std::string& images, const std::string& labels) {
  const absl::StatusOr<LabeledImages> result = Parse(images, labels);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(result.status().message());
}

TEST(IdxTest, WhatIsFormattedParsesToTheSame) {
  LabeledImages images;
  for (int i = 0; i < 300; ++i) {
    images.pixels.insert(images.pixels.end(), kImagePixels, static_cast<uint8_t>(i));
    images.labels.push_back(static_cast<uint8_t>(i % 256));
  }
  const absl::StatusOr<LabeledImages> parsed = Parse(FormatIdxImages(images), FormatIdxLabels(images));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->pixels, images.pixels);
  EXPECT_EQ(parsed->labels, images.labels);
}

class IdxFolderTest : public ::testing::Test {
 protected:
  IdxFolderTest() {
    std::string name = ::testing::TempDir() + "idx_test_XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~IdxFolderTest() override { std::filesystem::remove_all(folder_); }
  void Write(const std::string& name, const std::string& content) {
    ASSERT_TRUE(WriteFileAtomically(folder_ + "/" + name, content).ok());
  }
  std::string folder_;
};

TEST(ParseIdxTest, ReadsPlainAndGzipAlike) {
  for (const bool packed : {false, true}) {
    const absl::StatusOr<LabeledImages> set =
        packed ? Parse(GzipOf(ImagesFile(12)), GzipOf(LabelsFile(12))) : Parse(ImagesFile(12), LabelsFile(12));
    ASSERT_TRUE(set.ok()) << set.status();
    EXPECT_EQ(set->size(), 12);
    EXPECT_EQ(set->pixels.size(), size_t{12 * kImagePixels});
    EXPECT_EQ(set->labels[11], 1);
    EXPECT_EQ(set->image(3)[0], 21);
    EXPECT_EQ(set->image(3).size(), size_t{kImagePixels});
  }
}

TEST(ParseIdxTest, RefusesABadMagic) {
  EXPECT_EQ(ErrorOf(LabelsFile(60), LabelsFile(60)),
            "'the-images': not an IDX file of images: magic 0x00000801, expected 0x00000803");
  EXPECT_THAT(ErrorOf(ImagesFile(1), ImagesFile(1)), HasSubstr("'the-labels': not an IDX file of labels"));
  EXPECT_THAT(ErrorOf("\x89PNG and much more text", LabelsFile(1)), HasSubstr("magic 0x89504e47"));
}

TEST(ParseIdxTest, RefusesEveryTruncation) {
  const std::string images = ImagesFile(1), labels = LabelsFile(1);
  for (size_t size = 0; size < images.size(); ++size) {
    EXPECT_THAT(ErrorOf(images.substr(0, size), labels), HasSubstr("'the-images': too short")) << size;
  }
  for (size_t size = 0; size < labels.size(); ++size) {
    EXPECT_THAT(ErrorOf(images, labels.substr(0, size)), HasSubstr("'the-labels': too short")) << size;
  }
}

TEST(ParseIdxTest, RefusesDataAfterTheEnd) {
  EXPECT_EQ(ErrorOf(ImagesFile(2) + "x", LabelsFile(2)),
            "'the-images': too long: 2 images need 1568 bytes after the header, found 1569");
}

TEST(ParseIdxTest, RefusesCountsThatDiffer) {
  EXPECT_EQ(ErrorOf(ImagesFile(3), LabelsFile(2)), "'the-images' holds 3 images but 'the-labels' 2 labels");
}

TEST(ParseIdxTest, RefusesZeroImages) {
  EXPECT_EQ(ErrorOf(ImagesFile(0), LabelsFile(0)), "'the-images': holds no images");
}

TEST(ParseIdxTest, RefusesOtherSizes) {
  EXPECT_EQ(ErrorOf(BigEndian({0x803, 1, 14, 56}) + std::string(784, 'x'), LabelsFile(1)),
            "'the-images': images are 14x56, expected 28x28");
}

TEST(ParseIdxTest, RefusesCountsThatWouldOverflow) {
  EXPECT_THAT(ErrorOf(BigEndian({0x803, 0xffffffff, 28, 28}) + std::string(784, 'x'), LabelsFile(1)),
              HasSubstr("need 3367254359280 bytes"));
  EXPECT_THAT(ErrorOf(BigEndian({0x803, 1, 0xffffffff, 0xffffffff}), LabelsFile(1)), HasSubstr("4294967295"));
}

TEST(ParseIdxTest, RefusesCorruptGzip) {
  std::string packed = GzipOf(ImagesFile(4));
  EXPECT_THAT(ErrorOf(packed.substr(0, packed.size() / 2), LabelsFile(4)), HasSubstr("it ends too early"));
  packed[packed.size() - 5] ^= 1;
  EXPECT_THAT(ErrorOf(packed, LabelsFile(4)), HasSubstr("'the-images' is not a sound gzip file"));
}

TEST_F(IdxFolderTest, ReadsEitherSplitAndEitherForm) {
  Write("train-images-idx3-ubyte", ImagesFile(5));
  Write("train-labels-idx1-ubyte.gz", GzipOf(LabelsFile(5)));
  Write("t10k-images-idx3-ubyte.gz", GzipOf(ImagesFile(2)));
  Write("t10k-labels-idx1-ubyte", LabelsFile(2));
  EXPECT_EQ(ReadIdxFolder(folder_, Split::kTrain).value().size(), 5);
  EXPECT_EQ(ReadIdxFolder(folder_, Split::kTest).value().size(), 2);
}

TEST_F(IdxFolderTest, MissingFilesAreNamedWithAWayOut) {
  const absl::Status status = ReadIdxFolder(folder_, Split::kTrain).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("'train-images-idx3-ubyte'"), HasSubstr(folder_),
                                                   HasSubstr("`digit-train fetch mnist --data-dir " + folder_ + "`")));
}

TEST_F(IdxFolderTest, ErrorsNameTheFile) {
  Write("t10k-images-idx3-ubyte", "short");
  Write("t10k-labels-idx1-ubyte", LabelsFile(2));
  EXPECT_THAT(std::string(ReadIdxFolder(folder_, Split::kTest).status().message()),
              HasSubstr(folder_ + "/t10k-images-idx3-ubyte"));
}

TEST(SplitOffValidationTest, TakesTheLastImages) {
  const LabeledImages all = Parse(ImagesFile(7), LabelsFile(7)).value();
  const TrainValidation parts = SplitOffValidation(all, 3);
  EXPECT_THAT(parts.train.labels, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(parts.validation.labels, ElementsAre(4, 5, 6));
  EXPECT_EQ(parts.train.image(3), all.image(3));
  EXPECT_EQ(parts.validation.image(0), all.image(4));
}

TEST(SplitOffValidationTest, NeverTakesMoreThanThereIs) {
  const LabeledImages all = Parse(ImagesFile(2), LabelsFile(2)).value();
  EXPECT_EQ(SplitOffValidation(all).train.size(), 0);
  EXPECT_EQ(SplitOffValidation(all).validation.size(), 2);
  EXPECT_EQ(SplitOffValidation(all, -1).validation.size(), 0);
}

}  // namespace
}  // namespace digit
