#include "client/ctl/bench/pictures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "model/spec/model_spec.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

class PicturesTest : public ::testing::Test {
 protected:
  PicturesTest() {
    folder_ = ::testing::TempDir() + "pictures.XXXXXX";
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
  }
  ~PicturesTest() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << bytes;
  }

  std::string folder_;
};

TEST_F(PicturesTest, DigitsAreDrawnWhenNothingIsGiven) {
  BenchOptions options;
  options.generate = 12;
  const BenchPictures set = *LoadBenchPictures(options);
  ASSERT_EQ(set.pictures.size(), 12u);
  EXPECT_FALSE(set.encoded);
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(set.pictures[i].bytes.size(), static_cast<size_t>(kImagePixels));
    EXPECT_EQ(set.pictures[i].label, i % 10);
  }
  EXPECT_EQ(LoadBenchPictures(options)->pictures[3].bytes, set.pictures[3].bytes);
  options.seed = 2;
  EXPECT_NE(LoadBenchPictures(options)->pictures[3].bytes, set.pictures[3].bytes);
}

TEST_F(PicturesTest, FilesAreTakenAsTheyAre) {
  Write("b.png", "two");
  Write("a.png", "one");
  BenchOptions options;
  options.images = {folder_};
  const BenchPictures set = *LoadBenchPictures(options);
  EXPECT_TRUE(set.encoded);
  ASSERT_EQ(set.pictures.size(), 2u);
  EXPECT_EQ(set.pictures[0].name, folder_ + "/a.png");
  EXPECT_EQ(set.pictures[0].bytes, "one");
  EXPECT_EQ(set.pictures[1].bytes, "two");
  EXPECT_EQ(set.pictures[0].label, -1);
}

TEST_F(PicturesTest, AnIdxFolderBringsItsLabels) {
  Write("t10k-images-idx3-ubyte",
        std::string("\0\0\x08\x03\0\0\0\x02\0\0\0\x1c\0\0\0\x1c", 16) + std::string(2 * kImagePixels, '\x05'));
  Write("t10k-labels-idx1-ubyte", std::string("\0\0\x08\x01\0\0\0\x02\x07\x09", 10));
  BenchOptions options;
  options.idx = folder_;
  const BenchPictures set = *LoadBenchPictures(options);
  ASSERT_EQ(set.pictures.size(), 2u);
  EXPECT_EQ(set.pictures[1].label, 9);
  EXPECT_EQ(set.pictures[1].bytes, std::string(kImagePixels, '\x05'));
}

TEST_F(PicturesTest, WhatCannotBeReadIsNamedWithItsFlag) {
  BenchOptions options;
  options.images = {folder_ + "/none.png"};
  EXPECT_THAT(std::string(LoadBenchPictures(options).status().message()),
              HasSubstr("--images: " + folder_ + "/none.png: cannot open"));
  options.images = {folder_ + "/*.png"};
  EXPECT_THAT(std::string(LoadBenchPictures(options).status().message()), HasSubstr("--images: no file matches"));
  options.images.clear();
  options.idx = folder_;
  EXPECT_THAT(std::string(LoadBenchPictures(options).status().message()), HasSubstr("--idx: no 't10k"));
}

}  // namespace
}  // namespace digit
