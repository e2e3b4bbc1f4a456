#include "daemon/registry/gate_images.h"

#include <unistd.h>

#include <filesystem>
#include <string>

#include "base/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/dataset/digit_generator.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

class GateImagesTest : public ::testing::Test {
 protected:
  ~GateImagesTest() override { std::filesystem::remove_all(root_); }

  std::string Folder(const std::string& name, int images) {
    const std::string folder = root_ + "/" + name;
    std::filesystem::create_directories(folder);
    const LabeledImages digits = DigitGenerator(/*seed=*/3).DrawMany(images);
    Write(folder + "/train-images-idx3-ubyte", FormatIdxImages(digits));
    Write(folder + "/train-labels-idx1-ubyte", FormatIdxLabels(digits));
    return folder;
  }
  static void Write(const std::string& path, const std::string& bytes) {
    ASSERT_TRUE(WriteFileAtomically(path, bytes).ok());
  }

  const std::string root_ = ::testing::TempDir() + "gate_images_test." + std::to_string(::getpid()) + "." +
                            ::testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(GateImagesTest, AModelsOwnFolderComesFirstThenTheDataFolderThenTheOneForAll) {
  GateImages images({.by_name = {{"own", Folder("a", 1)}}, .data_dir = root_, .for_all = Folder("b", 2)});
  Folder("beneath", 3);
  Folder("own", 4);
  EXPECT_EQ((*images.Of("own"))->size(), 1);
  EXPECT_EQ((*images.Of("beneath"))->size(), 3);
  EXPECT_EQ((*images.Of("other"))->size(), 2);
  EXPECT_EQ(*GateImages({}).Of("other"), nullptr);
}

TEST_F(GateImagesTest, AreReadAgainOnlyWhenTheFilesHaveChanged) {
  GateImages images({.for_all = Folder("all", 5)});
  const auto first = *images.Of("mnist");
  EXPECT_EQ(*images.Of("mnist"), first);
  Folder("all", 6);
  EXPECT_EQ((*images.Of("mnist"))->size(), 6);
  EXPECT_EQ(first->size(), 5);
  std::filesystem::remove(root_ + "/all/train-labels-idx1-ubyte");
  EXPECT_THAT(std::string(images.Of("mnist").status().message()), HasSubstr("train-labels"));
}

}  // namespace
}  // namespace digit
