namespace MPSec.Features.Lab;

/// <summary>Registers the Lab feature.</summary>
public static class LabServices
{
    /// <summary>Adds labs and their transfers; needs the Data and Changes rooms.</summary>
    public static IServiceCollection AddMPSecLab(this IServiceCollection services) => services
        .AddSingleton<LabTransferService>()
        .AddSingleton<LabService>()
        .AddSingleton<LabPathKeeper>();

    /// <summary>Adds what the web program does with labs at its start.</summary>
    /// <param name="services">Services of the web program.</param>
    /// <param name="startLab">Make the default lab with traffic when none stands.</param>
    public static IServiceCollection AddLabStartup(this IServiceCollection services, bool startLab) => services
        .AddSingleton(new LabStartupWish(startLab))
        .AddHostedService<LabStartup>()
        .AddHostedService(provider => provider.GetRequiredService<LabPathKeeper>());
}
