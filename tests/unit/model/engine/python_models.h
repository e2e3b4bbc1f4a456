// The files of make_models.py, written once per test program by the real PyTorch.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "tests/support/python.h"

namespace digit {

class PythonModels : public ::testing::Test {
 protected:
  // Skips when python3-torch is missing, unless the environment says that it must be there.
  void SetUp() override {
    static const int exit_code = Make();
    const char* required = std::getenv("DIGIT_REQUIRE_PYTHON_TORCH");
    if (exit_code == 77 && (required == nullptr || std::string(required) != "1")) {
      GTEST_SKIP() << "python3-torch is not installed";
    }
    ASSERT_EQ(exit_code, 0) << "make_models.py failed";
  }

  static std::string Path(const std::string& name) { return (folder() / name).string(); }

  template <typename T>
  static std::vector<T> ReadArray(const std::string& name) {
    const absl::StatusOr<std::string> bytes = ReadFile(Path(name), int64_t{1} << 20);
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    std::vector<T> values(bytes.ok() ? bytes->size() / sizeof(T) : 0);
    if (!values.empty()) std::memcpy(values.data(), bytes->data(), values.size() * sizeof(T));
    return values;
  }

 private:
  struct TemporaryFolder {
    TemporaryFolder() {
      std::string name = ::testing::TempDir() + "/digit_models.XXXXXX";
      path = ::mkdtemp(name.data()) == nullptr ? "" : name;
    }
    ~TemporaryFolder() {
      std::error_code ignored;
      if (!path.empty()) std::filesystem::remove_all(path, ignored);
    }
    std::filesystem::path path;
  };

  static const std::filesystem::path& folder() {
    static const TemporaryFolder folder;
    return folder.path;
  }
  static int Make() {
    const int status = std::system(
        ("OMP_NUM_THREADS=1 " + Python() + " tests/unit/model/engine/make_models.py '" + folder().string() + "'")
            .c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
};

}  // namespace digit
