#include "client/ctl/feedback/export_folder.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/dataset/idx.h"

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ExportFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/digit-export.XXXXXX";
    scratch_ = mkdtemp(folder);
    out_ = scratch_ + "/out";
  }
  void TearDown() override { std::filesystem::remove_all(scratch_); }

  static ExportedCorrection Correction(int64_t id, uint8_t class_index, const std::string& source) {
    return {.id = id,
            .pixels = std::string(kImagePixels, static_cast<char>(id)),
            .label_index = class_index,
            .state = "accepted",
            .label = class_index == kNotADigitClass ? "not a digit" : std::to_string(class_index),
            .model = "mnist",
            .version = "3",
            .source = source,
            .time = "2026-11-25T23:49:53Z"};
  }
  // What is left in the scratch folder.
  std::vector<std::string> Names() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(scratch_)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

  std::string scratch_, out_;
};

TEST_F(ExportFolderTest, IsReadAsMnistsFilesAre) {
  ASSERT_TRUE(
      WriteExport(out_ + "/", false, {Correction(1, 7, "ada"), Correction(2, kNotADigitClass, "b, \"c\"")}).ok());
  const absl::StatusOr<LabeledImages> read = ReadIdxFolder(out_, Split::kTrain);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->labels, ElementsAre(7, 255));
  EXPECT_EQ(read->image(1)[0], 2);
  EXPECT_EQ(*ReadFile(out_ + "/feedback.csv", 10'000),
            "id,state,class,label,answered,model,version,source,time\n"
            "1,accepted,7,7,,mnist,3,ada,2026-11-25T23:49:53Z\n"
            "2,accepted,255,not a digit,,mnist,3,\"b, \"\"c\"\"\",2026-11-25T23:49:53Z\n");
  EXPECT_THAT(Names(), ElementsAre("out"));
}

TEST_F(ExportFolderTest, WhatIsThereIsReplacedOnlyWhenAskedForAndOnlyAnExport) {
  ASSERT_TRUE(WriteExport(out_, false, {Correction(1, 7, "ada")}).ok());
  const absl::Status refused = WriteExport(out_, false, {Correction(2, 1, "ada")});
  EXPECT_EQ(refused.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("--force"));
  ASSERT_TRUE(WriteExport(out_, true, {Correction(2, 1, "ada")}).ok());
  EXPECT_THAT(ReadIdxFolder(out_, Split::kTrain)->labels, ElementsAre(1));
  EXPECT_THAT(Names(), ElementsAre("out"));

  std::ofstream(out_ + "/thesis.txt") << "the only copy";
  const absl::Status foreign = WriteExport(out_, true, {Correction(3, 2, "ada")});
  EXPECT_EQ(foreign.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(foreign.message()), HasSubstr("holds 'thesis.txt', which no export has made"));
  EXPECT_THAT(ReadIdxFolder(out_, Split::kTrain)->labels, ElementsAre(1));
}

TEST_F(ExportFolderTest, AFileInItsPlaceIsLeftAlone) {
  std::ofstream(out_) << "a file";
  EXPECT_EQ(WriteExport(out_, true, {Correction(1, 7, "ada")}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(*ReadFile(out_, 100), "a file");
}

TEST_F(ExportFolderTest, AFolderThatCannotBeMadeLeavesNothing) {
  EXPECT_FALSE(WriteExport(scratch_ + "/no/out", false, {Correction(1, 7, "ada")}).ok());
  EXPECT_THAT(Names(), ElementsAre());
}

}  // namespace
}  // namespace digit
