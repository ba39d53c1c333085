using MPSec.Components;
using MPSec.Components.Layout;
using MPSec.Features.Kernel;
using MPSec.Jobs;

namespace MPSec.Hosting;

/// <summary>Puts the Kernel page together.</summary>
public static class KernelSetup
{
    /// <summary>Registers it; needs the command runner of the changes, and the jobs.</summary>
    public static IServiceCollection AddKernel(this IServiceCollection services) => services
        .AddSingleton<KernelReportService>()
        .AddSingleton<IOwnPage, OwnPage>()
        .AddSingleton(new SentenceTexts(typeof(KernelSaidTexts)))
        .AddHostedService<KernelBootWatch>()
        .AddSingleton(new MenuEntry(MenuOrder.Kernel, "kernel", "kernel", typeof(KernelTexts), "Menu"));

    /// <summary>Registers what installs and tries kernels, for the web program and the command line; needs Data and Changes.</summary>
    public static IServiceCollection AddKernelBoot(this IServiceCollection services) => services
        .AddSingleton(new KernelMachineRoot())
        .AddSingleton<KernelBootStore>()
        .AddSingleton<KernelBootMachinery>()
        .AddSingleton<KernelInstaller>()
        .AddSingleton<KernelTrialChecks>()
        .AddSingleton<IKernelRestart, KernelRestart>()
        .AddSingleton<KernelBootService>();

    /// <summary>The job that builds a kernel, for the web program and the command line.</summary>
    public static IServiceCollection AddKernelBuilds(this IServiceCollection services) => services
        .AddSingleton<KernelSourceFetcher>()
        .AddSingleton<KernelConfigurer>()
        .AddSingleton<KernelBuildStore>()
        .AddSingleton<IJobKind, KernelBuild>();
}
