#include "daemon/registry/model_store.h"

#include <unistd.h>

#include <filesystem>

#include "base/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

const std::string kIdentity(64, 'a'), kOther(64, 'b');

SavedModels Example() {
  return {{"mnist",
           {.live = {.version = "3", .identity = kIdentity, .origin = Origin::kTrained},
            .candidate = SavedVersion{.version = "4", .identity = kOther, .origin = Origin::kFolder},
            .seen = kOther,
            .rejected = {kIdentity, kOther},
            .known = {{"3", kIdentity}, {"4", kOther}}}},
          {"plain", {.live = {.version = "aaaaaaaaaaaa", .identity = kIdentity}, .seen = kIdentity}}};
}

class ModelStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/digit-store.XXXXXX";
    folder_ = mkdtemp(folder);
    state_ = std::make_unique<StateFolder>(folder_ + "/state");
    store_ = std::make_unique<ModelStore>(state_.get());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
  std::unique_ptr<StateFolder> state_;
  std::unique_ptr<ModelStore> store_;
};

TEST_F(ModelStoreTest, ReadsBackWhatItWrote) {
  EXPECT_TRUE(store_->Load()->empty());
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/state"));  // reading makes nothing
  ASSERT_TRUE(store_->Save(Example()).ok());
  const auto read = store_->Load();
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, Example());
}

TEST_F(ModelStoreTest, ADamagedFileIsSaidByItsName) {
  ASSERT_TRUE(store_->Save(Example()).ok());
  const std::string path = folder_ + "/state/live.json";
  for (const std::string& text :
       {std::string("{"), std::string("[]"), std::string("{}"), std::string(R"({"format": "other", "models": {}})"),
        std::string(R"({"format": "digitd live models 1", "models": {"mnist": {"live": 3}}})")}) {
    ASSERT_TRUE(WriteFileAtomically(path, text).ok());
    EXPECT_THAT(std::string(store_->Load().status().message()), HasSubstr(path)) << text;
  }
}

TEST_F(ModelStoreTest, KeepsCopiesUntilTheyAreDropped) {
  ASSERT_TRUE(store_->KeepFile("mnist", kIdentity, {.bytes = "a", .spec_path = "x.json", .spec_json = "{}"}).ok());
  ASSERT_TRUE(store_->KeepFile("mnist", kIdentity, {.bytes = "a"}).ok());  // it is there already
  ASSERT_TRUE(store_->KeepFile("mnist", kOther, {.bytes = "b"}).ok());
  EXPECT_EQ(store_->ReadKept("mnist", kIdentity)->bytes, "a");
  EXPECT_EQ(store_->ReadKept("mnist", kIdentity)->spec_json, "{}");
  store_->DropKeptBut("mnist", {kOther});
  EXPECT_EQ(store_->ReadKept("mnist", kIdentity).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(store_->ReadKept("mnist", kOther)->bytes, "b");
  store_->DropKeptBut("nobody", {});
}

TEST_F(ModelStoreTest, WithNowhereToWriteItSaysSo) {
  ASSERT_TRUE(WriteFileAtomically(folder_ + "/state", "a file").ok());
  EXPECT_EQ(store_->Save(Example()).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(store_->KeepFile("mnist", kIdentity, {.bytes = "a"}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(store_->AddTrained("mnist", 0, {.bytes = "a"}).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace digit
