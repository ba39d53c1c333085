using MPSec.Components.Layout;
using MPSec.Features.Kernel;

namespace MPSec.Hosting;

/// <summary>Puts the Kernel page together.</summary>
public static class KernelSetup
{
    /// <summary>Registers it; needs the command runner of the changes.</summary>
    public static IServiceCollection AddKernel(this IServiceCollection services) => services
        .AddSingleton<KernelReportService>()
        .AddSingleton(new MenuEntry(MenuOrder.Kernel, "kernel", "kernel", typeof(KernelTexts), "Menu"));
}
