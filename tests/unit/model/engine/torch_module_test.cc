#include "model/engine/torch_module.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "base/build_info.h"
#include "base/file.h"

namespace digit {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

std::string RefusalOf(const std::string& path) {
  const absl::StatusOr<EngineFactory*> factory = LoadTorchModule(path);
  EXPECT_EQ(factory.status().code(), absl::StatusCode::kFailedPrecondition);
  return std::string(factory.status().message());
}

TEST(TorchModuleTest, LiesBesideTheProgramsFolder) {
  EXPECT_THAT(DefaultTorchModulePath(), EndsWith("/lib/digit/libdigit_torch.so"));
  EXPECT_THAT(DefaultTorchModulePath(), Not(HasSubstr("..")));
}

TEST(TorchModuleTest, GivesTheSameFactoryEachTime) {
  const absl::StatusOr<EngineFactory*> first = LoadTorchModule(DIGIT_FAKE_TORCH_MODULE);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(*LoadTorchModule(DIGIT_FAKE_TORCH_MODULE), *first);
}

TEST(TorchModuleTest, AMissingFileNamesItselfAndHowToGetIt) {
  EXPECT_EQ(RefusalOf("nowhere/libdigit_torch.so"),
            "the LibTorch module 'nowhere/libdigit_torch.so' is missing or not readable (in a build tree, "
            "deploy/quickstart --no-start builds it; else it is in the package digit-torch)");
}

TEST(TorchModuleTest, RefusesABuildWithStringsOfAnotherLayoutBeforeAskingForItsFactory) {
  EXPECT_THAT(RefusalOf(DIGIT_OTHER_TORCH_MODULE),
              AllOf(HasSubstr(absl::StrCat("is of build 'digit ", Version())), HasSubstr("libstdc++ before cxx11 absl"),
                    HasSubstr(absl::StrCat("this program is '", AbiId(), "'")), HasSubstr("package digit-torch)")));
}

TEST(TorchModuleTest, TheCompilersVersionDoesNotMatter) {
  EXPECT_THAT(AbiId(), AllOf(HasSubstr("libstdc++ cxx11"), Not(HasSubstr("gcc")), Not(HasSubstr("clang"))));
}

TEST(TorchModuleTest, RefusesALibraryThatIsNoModule) {
  EXPECT_THAT(RefusalOf(DIGIT_NO_TORCH_MODULE), HasSubstr("is some other library"));
}

TEST(TorchModuleTest, SaysWhyAFileCannotBeLoadedAndNamesLibTorchsPackage) {
  const std::string path = ::testing::TempDir() + "/torch_module_test_text.so";
  ASSERT_TRUE(WriteFileAtomically(path, "no library at all").ok());
  EXPECT_THAT(RefusalOf(path),
              AllOf(HasSubstr(path), HasSubstr("cannot be loaded"), HasSubstr("libtorch1.13"), Not(HasSubstr("\n"))));
  ::unlink(path.c_str());
}

}  // namespace
}  // namespace digit
