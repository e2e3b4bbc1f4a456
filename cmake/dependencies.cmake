# What the project builds with: Debian 12's packages, each with the version it has there and the reason.
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(absl REQUIRED)         # 20220623: Status, Span, strings, time
find_package(spdlog REQUIRED)       # 1.10: logging, behind base/log.h
find_package(ZLIB REQUIRED)         # 1.2.13: gzip IDX files, deflated zip entries
find_package(OpenSSL REQUIRED COMPONENTS Crypto)  # 3.0: SHA-256
find_package(Boost 1.81 REQUIRED)   # headers only: JSON, Asio and Beast
find_package(CLI11 REQUIRED)        # 2.1.2: flags of every program
find_package(hwy REQUIRED)          # 1.0: Highway, portable SIMD
if(DIGIT_BUILD_SERVING)
  find_package(Protobuf REQUIRED)   # 3.21: the wire format
  find_package(gRPC REQUIRED)       # 1.51: the RPC runtime
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(LEPTONICA REQUIRED IMPORTED_TARGET lept)  # 1.82: image decoding and area scaling
  pkg_check_modules(PROMETHEUS REQUIRED IMPORTED_TARGET prometheus-cpp-pull)  # 1.0: metrics over HTTP
  find_package(SQLite3 REQUIRED)    # 3.40: corrections
endif()
if(DIGIT_BUILD_TORCH)
  # 1.13 from Debian, or 2.x through CMAKE_PREFIX_PATH. Wrapped so that no flag of its leaks into other targets.
  set(saved_flags "${CMAKE_CXX_FLAGS}")
  find_package(Torch REQUIRED)
  set(CMAKE_CXX_FLAGS "${saved_flags}")
  add_library(digit_libtorch INTERFACE)
  target_link_libraries(digit_libtorch INTERFACE ${TORCH_LIBRARIES})
  target_include_directories(digit_libtorch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
  separate_arguments(torch_flags UNIX_COMMAND "${TORCH_CXX_FLAGS}")
  target_compile_options(digit_libtorch INTERFACE ${torch_flags})
endif()
if(DIGIT_BUILD_TESTS)
  find_package(GTest REQUIRED)      # 1.12
endif()
