# find_package(digit): the target digit::client. Its headers: client/lib/client.h, digit/v1/digit.pb.h.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(absl)
find_dependency(Protobuf)
find_dependency(gRPC)
include(${CMAKE_CURRENT_LIST_DIR}/digitTargets.cmake)
