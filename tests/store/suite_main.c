/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs every group of the suite on the backend that this program was linked
 * with.
 */
#include "suite.h"

#define SKIPPED 77

int main(void)
{
    int (*const groups[])(void) = {
        suite_put_tests,    suite_quota_tests,    suite_forget_tests,
        suite_read_tests,   suite_registry_tests, suite_profile_tests,
        suite_lease_tests,  suite_model_tests,    suite_publish_tests,
        suite_look_tests,   suite_argument_tests, suite_repeat_tests,
        suite_random_tests, suite_process_tests,
    };
    if (!suite_backend_start()) {
        (void)printf("the backend's server is not installed here\n");
        return SKIPPED;
    }
    int failed = 0;
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        failed += groups[i]();
    suite_backend_stop();
    return failed == 0 ? 0 : 1;
}
