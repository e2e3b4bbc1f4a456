#include "daemon/registry/model_registry.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_engine.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

class ModelRegistryTest : public ::testing::Test {
 protected:
  FakeEngineFactory engines_;
  std::unique_ptr<Pool> pool_ = *Pool::Create({.engines = &engines_});
  ModelRegistry registry_{pool_.get()};
};

TEST_F(ModelRegistryTest, TheFirstModelIsTheDefault) {
  ASSERT_TRUE(registry_.Add("b", "1", FakeModel(), absl::UnixEpoch()).ok());
  ASSERT_TRUE(registry_.Add("a", "2", FakeModel(), absl::UnixEpoch()).ok());
  EXPECT_EQ(registry_.default_name(), "b");
  EXPECT_EQ((*registry_.Find("", ""))->name, "b");
  EXPECT_EQ((*registry_.Find("a", "2"))->version, "2");
  EXPECT_EQ(registry_.Names().front(), "a");
}

TEST_F(ModelRegistryTest, SaysWhatIsNotThere) {
  ASSERT_TRUE(registry_.Add("a", "1", FakeModel(), absl::UnixEpoch()).ok());
  EXPECT_EQ(registry_.Find("x", "").status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(registry_.Find("x", "").status().message()), HasSubstr("this server has a"));
  EXPECT_THAT(std::string(registry_.Find("a", "9").status().message()), HasSubstr("loaded are 1 (stable)"));
}

TEST_F(ModelRegistryTest, RefusesNamesTwiceAndBadNames) {
  ASSERT_TRUE(registry_.Add("a", "1", FakeModel(), absl::UnixEpoch()).ok());
  EXPECT_EQ(registry_.Add("a", "2", FakeModel(), absl::UnixEpoch()).code(), absl::StatusCode::kAlreadyExists);
  for (const char* name : {"", "A", "../x", "a b", ".a"}) {
    EXPECT_EQ(registry_.Add(name, "1", FakeModel(), absl::UnixEpoch()).code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(ModelRegistryTest, AFailedLoadLeavesNothingBehind) {
  const absl::Status missing = registry_.Load("a", "/no/such/file.pt", absl::UnixEpoch());
  EXPECT_THAT(std::string(missing.message()), HasSubstr("/no/such/file.pt"));
  engines_.control().set_behaviour(FakeEngineControl::Behaviour::kFail);
  EXPECT_THAT(std::string(registry_.Add("a", "1", FakeModel(), absl::UnixEpoch()).message()), HasSubstr("fake.pt"));
  EXPECT_TRUE(registry_.Names().empty());
}

TEST(ModelNameTest, ComesFromTheStemAndVersionFromFolderOrDigest) {
  EXPECT_EQ(ModelNameOf("models/mnist.pt"), "mnist");
  EXPECT_EQ(ModelNameOf("mnist"), "mnist");
  EXPECT_EQ(ModelVersionOf("m/mnist/3/model.pt", "0123456789abcdef"), "3");
  EXPECT_EQ(ModelVersionOf("3/model.pt", "0123456789abcdef"), "3");
  EXPECT_EQ(ModelVersionOf("m/03/model.pt", "0123456789abcdef"), "0123456789ab");
  EXPECT_EQ(ModelVersionOf("mnist.pt", "0123456789abcdef"), "0123456789ab");
}

}  // namespace
}  // namespace digit
